"""Lines of page furniture that extraction leaves in an Arabic article, and their removal.

A line goes only when the whole of it is furniture: the patterns are matched from end to end
and name what may follow, so that a sentence which begins with the same words («تابعنا على
مدى أشهر …») stays. Three kinds:

- a line by itself: share, print, count of comments, follow us, back to top;
- a heading of related articles, with the headlines under it;
- an ending: comment form, copyright, "report a mistake". What follows is not the article.

Patterns are written folded (collectors.folding): ا for all alefs, ه for ة, ي for ى.
"""

import re
from typing import Final

from collectors.folding import fold
from collectors.months import HIJRI_MONTHS, MONTHS

MAX_LINE: Final = 300  # longer ones are never furniture
_BULLETS: Final = " \t-•·●▪■◾*|»«›‹→←>►▶▼▲…_=~#:؛;,.،()[]{}\"'“”"


def _any(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"


_NETWORK = _any(
    r"(?:ال)?(?:فيس ?بوك|واتس ?اب|تلي?[غقج]رام|تيليجرام|ان?ستا?[غجق]رام|يوتيوب|تويتر|ايميل)",
    r"اكس|لينكد ?ان|تيك ?توك|سناب ?شات|ماسنجر|بينتريست|ريديت|فايبر|نبض|ثريدز|x|facebook",
    r"twitter|telegram|whats ?app|youtube|instagram|linkedin|tiktok|messenger|pinterest|reddit",
    r"viber|google ?news|google\+?|tumblr|e-?mail|vkontakte|skype|threads|nabd",
    r"(?:اخبار )?(?:غوغل|جوجل)(?: نيوز| ?\+| بلس)?|البريد(?: الالكتروني)?|السوشيال ميديا",
    r"(?:وسائل|مواقع|منصات|شبكات) التواصل(?: الاجتماعي)?|الشبكات الاجتماعيه",
    r"نسخ الرابط|طباعه|print|copy link",
)
_NETWORKS = rf"{_NETWORK}(?:(?: ?[,/|&-] ?| و ?| )(?:عبر |علي )?{_NETWORK})*"
_OUR = _any(
    r"صفحتنا|قناتنا|حسابنا|حساباتنا|صفحاتنا|قنواتنا|موقعنا|تطبيقنا|منصاتنا",
    r"(?:قناه|صفحه) [\w ]{1,40}",
)
_ON = r"(?: (?:علي|عبر|في|الي))?"
_THIS = _any(
    r"(?:هذا )?(?:الخبر|المقال|الموضوع|التقرير)|(?:هذه )?(?:الصفحه|الماده|القصه|المقاله)",
    r"رايك|مع اصدقائك|مع الاصدقاء|الان|علي|عبر",
)
_UNIT = _any(
    r"ثاني(?:ه|تين)|ثوان(?:ي)?|دقيق(?:ه|تين)|دقائق|ساع(?:ه|ات|تين)|يوم(?:ين)?|ايام|اسبوع(?:ين)?",
    r"اسابيع|شهر(?:ين)?|اشهر|سن(?:ه|وات|تين)|عام(?:ين)?|اعوام|minutes?|hours?|days?|min|seconds?",
)
_DAY = r"(?:ال)?(?:سبت|احد|اثنين|ثلاثاء|اربعاء|خميس|جمعه)"
_MONTH = _any(*(re.escape(name) for name in (*MONTHS, *HIJRI_MONTHS)))
_WHEN = rf"(?:{_DAY}|{_MONTH}|الساعه|بتوقيت|غرينتش|gmt|صباحا|مساء|[صمه]|[\d ,:./|-])+"
_DETAILS = r"(?:ال)?(?:تفاصيل|اخبار|معلومات)"
_NEWS = r"(?:اخر|احدث|اهم|كل|جديد|اخبار|الاخبار|اخبارنا|المزيد|معنا|الينا|التفاصيل)"

_LINE: Final = re.compile(
    _any(
        # sharing
        rf"شارك(?:نا|ها|ه|وا|ونا)?(?: {_THIS})*",
        rf"(?:شارك(?:ها|ه|نا)?|انشر|ارسل|(?:ال)?مشاركه|نشر)(?: {_THIS})?"
        rf" ?(?:علي|عبر|في|ب)? ?:? ?{_NETWORKS}",
        _NETWORKS,
        r"\(?\d{0,6}\)? ?(?:(?:ال)?(?:مشارك|مشاهد|قراء)(?:ه|ات)|اعجاب(?:ات)?|shares?|views?|likes?)"
        r" ?:? ?\(?\d{0,6}\)?",
        r"(?:معجب بهذه|(?:اعجاب |جاري ال)?تحميل)",
        # comments, printing
        r"(?:لا (?:توجد |يوجد )?)?(?:اي )?(?:ال)?تعليق(?:ات|ا)?(?: ?[:|-]? ?\(? ?\d{1,5} ?\)?)?",
        r"\d{1,5} ?(?:تعليق(?:ات|ا)?|comments?)|no comments(?: yet)?|comments?",
        r"(?:\d{1,5} ?تعليق(?:ات|ا)? ?)?(?:ارسا?ل (?:ل|الي )صديقك? ?)?[|,-]? ?"
        r"(?:(?:نسخه (?:لل)?)?طباعه(?: (?:الخبر|المقال))?|اطبع(?: (?:الخبر|المقال))?|حجم الخط)",
        r"ارسا?ل (?:ل|الي )صديقك?|(?:تكبير|تصغير) الخط|حفظ|a a a|ا ا ا",
        # following, subscribing
        rf"(?:تابع(?:نا|ونا|وا)?|لمتابعتنا|لمتابعه|انضم(?:وا)?|اشترك(?:وا)?)(?: {_NEWS}){{0,4}}"
        rf"{_ON}(?: ?:)?(?: {_OUR})?{_ON}(?: {_NETWORKS})?",
        rf"(?:لل|ل)مزيد(?: من {_DETAILS}(?: ?و ?{_DETAILS})?)?"
        r",? (?:تابعو?ا?(?:نا)?|اضغط|انقر|زوروا|زر|اشترك)(?: [\w.]{1,25}){0,4}"
        rf" (?:هنا|(?:علي|عبر) (?:{_OUR}|{_NETWORKS})(?: (?:علي|في) {_NETWORKS})?)",
        r"(?:اشترك(?:وا)?|سجل|انضم)(?: الان)? (?:في|ب|الي) ?(?:ال)?(?:نشره|نشرتنا|قائمه|قائمتنا)"
        r"(?: [\w ]{0,60})?",
        r"النشره (?:البريديه|الاخباريه)|newsletter|subscribe|(?:ال)?اشتراك",
        r"(?:احصل|لي?صلك|لتصلك|ليصلكم) (?:علي )?(?:اخر الاخبار|احدث الاخبار|كل جديد|الاشعارات)"
        r"(?: [\w ]{0,60})?",
        # ways through the site
        r"(?:زر )?(?:العوده|عوده|الذهاب|انتقل|الرجوع) الي"
        r" (?:ال)?(?:اعلي(?: الصفحه)?|رئيسيه|صفحه الرئيسيه)",
        r"(?:back|scroll|go)? ?to top|next|previous|next previous|previous next",
        r"(?:السابق|التالي|السابق التالي)",
        r"(?:المقال|الخبر|الموضوع) (?:السابق|التالي)(?: ?[:|-] ?.{1,150})?",
        r"(?:(?:عرض|اقرا|قراءه|شاهد|تحميل) )?المزيد|(?:read |load )?more|continue reading",
        r"(?:اخر|احدث) الاخبار|الاكثر (?:قراءه|مشاهده|تداولا)|اخبار عاجله|شريط الاخبار",
        r"(?:الرئيسيه|home)(?: ?[/»›>|\\-] ?[\w ]{1,40}){0,5}",
        # when: a count of hours would make every look at the page a new revision
        rf"(?:منذ|قبل) (?:حوالي )?(?:\d{{1,4}} )?{_UNIT}(?: واحده?)?|\d{{1,4}} {_UNIT} ago",
        r"(?:اخر تحديث|(?:ال)?تاريخ(?: النشر| التحديث| الاضافه)?|نشر(?:ت)?(?: في| بتاريخ)?"
        r"|تم (?:النشر|التحديث)|published|(?:last )?updated)"
        rf"(?: (?:في|on|at))? ?:? ?(?=.*\d){_WHEN}",
        rf"(?:{_DAY}(?: ?[,-])? )?\d{{1,2}} ?[-/]? ?{_MONTH} ?[/-]? ?(?:{_MONTH} )?,? ?\d{{4}}"
        r"[\d :,ص|م-]{0,20}",
        rf"(?:{_DAY}(?: ?[,-])? )?\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}[\d :,ص|م-]{{0,20}}",
        rf"(?:وقت |مده )?(?:ال)?قراءه ?:? ?(?:\d{{1,3}} {_UNIT}|{_UNIT}(?: واحده)?)|{_UNIT} واحده",
        # captions, tags, links to itself
        r"(?:(?:ال)?وسوم|(?:ال)?كلمات (?:ال)?(?:دلاليه|مفتاحيه)|تاغات|tags?)(?: ?[:|-] ?.{0,250})?",
        r"اعلان(?:ات)?(?: ممول)?|advertisement|ads?|sponsored",
        r"(?:انسخ|نسخ|تم نسخ) الرابط|(?:ال)?رابط (?:ال)?(?:مختصر|قصير)(?: ?:? ?\S{0,120})?",
        r"رابط الخبر(?: [\w ]{1,40})? ?: .{1,250}|اقرا الخبر من المصدر",
        r"(?:اقراو?ا?|اقرؤوا|شاهدو?ا?|طالعو?ا?|يمكنكم? (?:ايضا )?قراءه)(?: ايضا| كذلك| المزيد)?"
        r"(?: (?:علي|في) موقعنا)? ?: ?.{1,250}",
        r"(?:(?:مقالات|مواضيع|اخبار) )?ذات صله ?[:|-] ?.{1,250}|(?:related|read also) ?: ?.{1,250}",
    )
)  # fmt: skip
_HEADING: Final = re.compile(
    _any(
        r"(?:مقالات|مواضيع|موضوعات|اخبار|مواد|قصص|تقارير|روابط|قراءات|محتوي)(?: اخري)?"
        r" (?:ذات صله|ذو صله|مرتبطه|مشابهه|متعلقه|مختاره|مقترحه|قد تهمك|قد تعجبك|متصله|اخري)",
        r"(?:اقراو?ا?|اقرؤوا|شاهدو?ا?|طالعو?ا?|انظر) (?:ايضا|كذلك)(?: (?:علي|في) [\w ]{1,30})?",
        r"(?:قد |ربما )?(?:ي|ت)(?:همك|عجبك)م?(?: ايضا| الاطلاع علي)?",
        r"المزيد (?:من|في) (?:ال|هذا ال)?(?:اخبار|مقالات|مواضيع|قسم|موضوع)(?: \w{1,20})?"
        r"|من (?:ذات|نفس) القسم|ذات صله|اخترنا لكم?|من الارشيف",
        r"related (?:posts?|articles?|stories|news|topics?)|you (?:may|might) also like",
        r"read (?:also|next|more)|more (?:from|on) [\w ]{1,40}|see also|most read|recommended",
    )
)
_ENDING: Final = re.compile(
    _any(
        r"لن يتم نشر (?:عنوان )?بريدك.{0,120}|الحقول الالزاميه (?:مشار|معلمه).{0,60}",
        r"(?:اترك|اكتب|اضف|شاركنا)(?: لنا)? (?:تعليقا?|تعليقك|ردا?|رايك)"
        r"(?: (?:الغاء الرد|علي (?:الخبر|المقال)|هنا))?",
        r"الغاء الرد|احفظ اسمي.{0,150}|cancel reply|save my name.{0,120}",
        r"leave a (?:reply|comment).{0,20}|your email address will not be published.{0,80}",
        r"(?:جميع |كافه |كل )?(?:الحقوق|حقوق (?:النشر|الطبع|الملكيه))(?: والنشر)?"
        r" (?:محفوظه|مسجله)(?: .{0,100})?",
        r"(?:copyright|©|all rights reserved).{0,100}",
        r"اذا كنت(?:م|ي)? (?:تعتقد|تعتقدين|تعتقد/ ?تعتقدين|تعتقدون) ان"
        r" (?:المقال|الخبر|الماده|هذا المقال|هذه الماده|هناك خط[اء]).{0,200}",
        r"(?:هل (?:وجدت|لاحظت|رايت)|ابلغنا?|الابلاغ|بلغ) (?:عن )?(?:اي )?خط[اء]؟?(?: .{0,80})?؟?",
        r"ارسلي?(?:/ارسلي)? تصحيحا?.{0,60}",
        r"(?:الاراء|المقالات|ما ينشر).{0,80}(?:لا تعبر|لا يعبر)(?: بالضروره)?"
        r" عن (?:راي|موقف|وجهه).{0,80}",
    )
)

# A paragraph ends so, a headline does not; it may end in a quotation or a question.
_FULL_STOP: Final = re.compile(r"[.…:][»”\")]?\s*$")
_HEADLINE_CHARS: Final = 140
_HEADLINES_INSIDE: Final = 3
_HEADLINES_AT_END: Final = 15


def without_furniture(text: str) -> str:
    """`text` (one paragraph a line) without the lines that are not the article's and without
    empty ones. Lines that stay are untouched."""
    lines = [line for line in text.split("\n") if line.strip()]
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if len(line) > MAX_LINE:
            kept.append(line)
            continue
        folded = fold(line).strip(_BULLETS)
        if _ENDING.fullmatch(folded):
            if _mostly_before(kept, lines[number:]):
                break
        elif _HEADING.fullmatch(folded):
            number += _headlines(kept, lines[number:])
        elif folded and not _LINE.fullmatch(folded):
            kept.append(line)
    return "\n".join(kept)


def _mostly_before(before: list[str], after: list[str]) -> bool:
    """Whether what is cut is the smaller part: some pages have the comment form first."""
    return sum(map(len, before)) >= sum(map(len, after))


def _headlines(before: list[str], after: list[str]) -> int:
    """How many of the lines after a heading of related articles are their headlines."""
    count = 0
    for line in after:
        if len(line) > _HEADLINE_CHARS or _FULL_STOP.search(line):
            break
        count += 1
    if count == len(after) <= _HEADLINES_AT_END and _mostly_before(before, after):
        return count
    return min(count, _HEADLINES_INSIDE)
