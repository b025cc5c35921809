"""Furniture goes, sentences stay. Every line here was written for this test."""

import time

import pytest

from collectors.boilerplate import MAX_LINE, without_furniture

NEWS = (
    "أعلن مجلس المدينة اليوم أن أعمال إصلاح الجسر ستبدأ الأسبوع المقبل وتستمر شهرين.",
    "وأوضح المهندس المشرف أن حركة السير ستحول إلى الطريق الجنوبي طوال تلك المدة.",
    "وكانت الأمطار قد ألحقت بالجسر أضراراً في الشتاء الماضي، وأغلق مرتين.",
)
ARTICLE = "\n".join(NEWS)

FURNITURE = (
    # sharing
    "شاركنا ..", "شارك", "شارك الخبر", "شارك هذا الموضوع:", "شاركها", "شارك على فيسبوك",
    "شارك عبر واتساب", "مشاركة عبر البريد", "فيسبوك تويتر واتساب تلغرام",
    "Facebook Twitter WhatsApp", "انشر الخبر على تويتر", "12 مشاركة", "1534 مشاهدة",
    "المشاهدات: 96", "إعجاب تحميل...", "معجب بهذه:",
    # comments, printing
    "0 تعليق", "3 تعليقات", "التعليقات (0)", "لا توجد تعليقات", "لا يوجد تعليق", "No Comments",
    "0 تعليق ارسل لصديق نسخة للطباعة", "طباعة", "نسخة للطباعة", "أرسل لصديق", "اطبع المقال",
    "حجم الخط",
    # following, subscribing
    "تابعنا على :", "تابعنا على فيسبوك", "تابعونا على تلغرام",
    "تابعوا آخر الأخبار على قناتنا على تلغرام", "انضم إلى قناتنا على واتساب",
    "للمزيد من التفاصيل والأخبار تابع صدى الجسر على الشبكات الاجتماعية",
    "للمزيد تابعونا عبر صفحتنا على فيسبوك", "لمزيد من التفاصيل اضغط هنا",
    "اشترك في نشرتنا البريدية", "النشرة البريدية", "احصل على آخر الأخبار في بريدك",
    # ways through the site
    "زر الذهاب إلى الأعلى", "العودة إلى الأعلى", "Back to top", "السابق", "التالي",
    "المقال السابق: افتتاح مكتبة جديدة في الحي", "المزيد", "...المزيد", "اقرأ المزيد »",
    "آخر الأخبار", "الرئيسية / أخبار / محليات", "Next Previous",
    # captions, tags, related on one line, dates
    "الوسوم: الجسر، الأمطار، الطرق", "كلمات مفتاحية", "إعلان", "Advertisement", "تم نسخ الرابط",
    "رابط مختصر: https://bridge.example/x1", "اقرأ أيضاً: افتتاح مكتبة جديدة في الحي القديم",
    "إقرأ أيضا : وفد من المهندسين يزور الجسر", "شاهد: لحظة إغلاق الجسر",
    "مقالات ذات صلة: وفد يزور الجسر", "منذ 3 ساعات", "منذ ساعة واحدة", "قبل يومين",
    "آخر تحديث: 20 نوفمبر 2026 - 14:05", "نُشر في 20/11/2026",
    "الجمعة 20 نوفمبر/تشرين الثاني 2026 - 14:05", "2026-11-20 14:05", "مدة القراءة: 3 دقائق", "-",
    "* * *", "▪",
)  # fmt: skip


@pytest.mark.parametrize("line", FURNITURE)
def test_a_line_of_furniture_goes_wherever_it_stands(line: str) -> None:
    assert without_furniture(f"{line}\n{ARTICLE}") == ARTICLE
    assert without_furniture("\n".join((NEWS[0], line, *NEWS[1:]))) == ARTICLE
    assert without_furniture(f"{ARTICLE}\n{line}") == ARTICLE


SENTENCES = (
    # each begins with, holds or is near a word of the patterns above
    "تابعنا على مدى أشهر أعمال الحفر في الموقع ولم نر تقدماً.",
    "تابع الوزير من غرفة العمليات سير الإنقاذ",
    "تابعوا السير نحو الميناء رغم القصف.",
    "شارك في الاجتماع ممثلون عن ثلاث بلديات.",
    "شاركت قوات أجنبية في تأمين الحقل",
    "شارك وزير الدفاع صوراً للجسر على فيسبوك وتويتر.",
    "مشاركة واسعة في انتخابات البلدية",
    "فيسبوك تغلق حسابات مرتبطة بالحملة",
    "تعليق العمل في الحقل بعد الهجوم",
    "تعليق الرحلات من المطار 3 أيام",
    "لا تعليق من الوزارة على الخبر حتى الآن",
    "التعليقات الأولى للسكان كانت غاضبة.",
    "طباعة الأوراق النقدية تتوقف في المصرف المركزي",
    "للمزيد من الضغط على الطرفين دعت الأمم المتحدة إلى جولة جديدة.",
    "المزيد من القوات تصل إلى الميناء",
    "آخر الأخبار الواردة من الجبهة تتحدث عن هدوء.",
    "العودة إلى الأعلى سعراً في السوق أمر مستبعد.",
    "الرئيسية بين مطالبهم وقف إطلاق النار.",
    "السابق لأوانه الحديث عن هدنة، قال المبعوث.",
    "المقال السابق للكاتب أثار جدلاً واسعاً في المدينة.",
    "اقرأ أيضاً في وجوه الناس خوفاً من عودة الحرب، كما يقول.",
    "شاهد العيان قال إن الطائرات قصفت الموقع مرتين.",
    "تابع: «لن نقبل بهدنة قبل انسحاب القوات».",
    "وتابع: «سنعود إلى طاولة المفاوضات».",
    "إعلان الهدنة في المدينة القديمة",
    "إعلان وقف إطلاق النار يدخل حيز التنفيذ",
    "منذ 3 ساعات والقصف لا يتوقف على أطراف البلدة.",
    "منذ ساعات الفجر الأولى",
    "قبل يومين من الهدنة وصلت التعزيزات.",
    "نشر 500 جندي في محيط الحقل",
    "نشر قوات على الحدود في 20 نوفمبر",
    "حقوق النشر في مشروع القانون الجديد محل خلاف.",
    "إذا كنت تعتقد أن الحرب انتهت فأنت مخطئ، قال القائد.",
    "اترك السلاح وعد إلى بيتك، نداء وجهه الأهالي.",
    "بلغ عدد القتلى 12 في خطأ نسب إلى المدفعية.",
    "ذات صلة بالتنظيم كانت المجموعة، بحسب المحققين.",
    "20 نوفمبر 2026 موعد انسحاب القوات الأجنبية",
)


@pytest.mark.parametrize("line", SENTENCES)
def test_a_sentence_with_such_words_stays(line: str) -> None:
    text = "\n".join((NEWS[0], line, *NEWS[1:]))
    assert without_furniture(text) == text


@pytest.mark.parametrize(
    "heading", ["مقالات ذات صلة", "اقرأ أيضاً", "قد يهمك أيضاً", "مواضيع ذات صلة:", "Related Posts"]
)
def test_headlines_under_a_heading_of_related_articles_go_with_it(heading: str) -> None:
    headlines = "افتتاح مكتبة جديدة في الحي القديم\nوفد من المهندسين يزور الميناء"
    assert without_furniture(f"{ARTICLE}\n{heading}\n{headlines}") == ARTICLE
    inside = "\n".join((NEWS[0], heading, headlines, *NEWS[1:]))
    assert without_furniture(inside) == ARTICLE


def test_paragraphs_after_such_a_heading_stay() -> None:
    text = "\n".join((NEWS[0], "اقرأ أيضاً", *NEWS[1:]))
    assert without_furniture(text) == ARTICLE


def test_of_short_lines_without_full_stops_only_a_few_go() -> None:
    """Some newsrooms end no paragraph with a full stop; an article must not vanish."""
    body = [f"سطر قصير من الخبر رقم {number} بلا نقطة في آخره" for number in range(12)]
    kept = without_furniture("\n".join([body[0], "اقرأ أيضاً", *body[1:]]))
    assert kept.split("\n") == [body[0], *body[4:]]


@pytest.mark.parametrize(
    "ending",
    [
        "اترك تعليقاً",
        "اترك تعليقاً إلغاء الرد",
        "لن يتم نشر عنوان بريدك الإلكتروني. الحقول الإلزامية مشار إليها بـ *",
        "Leave a Reply",
        "جميع الحقوق محفوظة © صدى الجسر 2026",
        "إذا كنت تعتقد/تعتقدين أن المقال يحوي خطأ أو لديك ما تضيفه أرسل/أرسلي تصحيحاً",
        "هل وجدت خطأ؟",
        "الآراء المنشورة لا تعبر بالضرورة عن رأي الموقع",
    ],
)
def test_what_follows_an_ending_is_not_the_article(ending: str) -> None:
    assert without_furniture(f"{ARTICLE}\n{ending}\nالاسم\nكلام قارئ عن حرب أخرى") == ARTICLE


def test_an_ending_before_the_article_takes_only_itself() -> None:
    assert without_furniture(f"اترك تعليقاً\n{ARTICLE}") == ARTICLE


def test_lines_that_stay_are_untouched_and_empty_ones_go() -> None:
    text = f"  {NEWS[0]}\u200f \n\n \n{NEWS[1]}"
    assert without_furniture(text) == f"  {NEWS[0]}\u200f \n{NEWS[1]}"
    assert without_furniture("") == ""


def test_text_of_nothing_but_furniture_is_empty() -> None:
    assert without_furniture("\n".join(FURNITURE)) == ""


@pytest.mark.parametrize(
    "piece", ["x ", "شارك ", "و فيسبوك", "للمزيد من ", "تابع اخر ", "a/", "1 "]
)
def test_no_line_takes_long(piece: str) -> None:
    line = (piece * MAX_LINE)[: MAX_LINE - 1] + "!"
    began = time.thread_time()
    without_furniture("\n".join([line] * 20))
    assert time.thread_time() - began < 2
