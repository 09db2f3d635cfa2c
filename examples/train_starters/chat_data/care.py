"""Messages that must never be answered at random: despair, and languages the model does not know."""

from __future__ import annotations

from examples.train_starters.chat_data.turns import Turn
from examples.train_starters.chat_data.wording import Source

CRISIS = (
    "I am really sorry you feel this way. Please talk to someone now: call your local emergency number or a crisis line; in "
    "the US call or text 988. You are not alone."
)
_DESPAIR = [
    "{i} {want} {end}",
    "{i} {want} {end} {when}",
    "{i} {tired} and {i} {want} {end}",
    "nobody would {care} if {i} {gone}",
    "{i} {see} no {reason} to {live}",
    "{i} am thinking about {ending}",
    "{i} {keep} thinking about {ending}",
    "{life} is not worth {living}",
]
_SLOTS = {
    "i": ["i", "I"],
    "want": ["want to", "wanna", "am going to", "feel like i want to", "really want to", "just want to"],
    "end": ["end it all", "kill myself", "hurt myself", "end my life", "not be alive", "disappear for ever", "take my own life",
            "commit suicide", "be dead", "stop living", "jump off a bridge", "overdose", "cut myself"],
    "when": ["tonight", "today", "now", "soon", "and nobody cares"],
    "tired": ["am so tired of life", "can't go on", "cannot take it any more", "hate my life", "give up"],
    "care": ["care", "notice", "miss me"],
    "gone": ["was gone", "were dead", "died", "killed myself"],
    "see": ["see", "have", "find"],
    "reason": ["reason", "point", "sense"],
    "live": ["live", "go on", "stay alive", "keep living"],
    "ending": ["ending my life", "suicide", "killing myself", "hurting myself", "dying"],
    "keep": ["keep", "can't stop"],
    "life": ["life", "my life", "this life"],
    "living": ["living", "it any more", "it"],
}  # fmt: skip

ENGLISH_ONLY = (
    "I only speak English. Please write to me in English, or load a bigger model that knows your language."
)
# A word or two of greeting, asking and wishing; mixed, they show what the scripts look like.
_FOREIGN = [
    "hola|qué tal|cómo estás|buenos días|quiero|por favor|dónde está|gracias|ayúdame|tiempo|amigo",
    "bonjour|comment ça va|je voudrais|s'il vous plaît|où est|merci|aidez-moi|demain|mon ami|pourquoi",
    "guten tag|wie geht es dir|ich möchte|bitte|wo ist|danke|hilf mir|morgen|mein freund|warum",
    "ciao|come stai|vorrei|per favore|dove|grazie|aiutami|domani|amico mio|perché",
    "olá|tudo bem|eu quero|por favor|onde fica|obrigado|me ajuda|amanhã|meu amigo|por quê",
    "привет|как дела|я хочу|пожалуйста|где|спасибо|помоги мне|завтра|друг|почему",
    "привіт|як справи|я хочу|будь ласка|де|дякую|допоможи|завтра|друже|чому",
    "שלום|מה נשמע|אני רוצה|בבקשה|איפה|תודה|עזור לי|מחר|חבר|למה",
    "مرحبا|كيف حالك|أريد|من فضلك|أين|شكرا|ساعدني|غدا|صديقي|لماذا",
    "你好|你好吗|我想|请|在哪里|谢谢|帮我|明天|朋友|为什么",
    "こんにちは|元気ですか|ほしい|お願いします|どこ|ありがとう|助けて|明日|友達|なぜ",
    "안녕하세요|잘 지내세요|원해요|제발|어디|감사합니다|도와줘|내일|친구|왜",
    "नमस्ते|आप कैसे हैं|मुझे चाहिए|कृपया|कहाँ|धन्यवाद|मदद करो|कल|दोस्त|क्यों",
    "γεια σου|τι κάνεις|θέλω|παρακαλώ|πού|ευχαριστώ|βοήθησέ με|αύριο|φίλε|γιατί",
    "merhaba|nasılsın|istiyorum|lütfen|nerede|teşekkürler|yardım et|yarın|arkadaşım|neden",
    "cześć|jak się masz|chcę|proszę|gdzie|dziękuję|pomóż mi|jutro|przyjacielu|dlaczego",
]
_MARKS = ["", "", "?", "!", "...", " 😀", " 🙏"]


def despair(source: Source) -> list[Turn]:
    """Someone does not want to live; the answer is the same in every persona."""
    slots = {name: source.choose(options) for name, options in _SLOTS.items()}
    return [Turn(source.typed(source.choose(_DESPAIR).format(**slots)), CRISIS, "refusal")]


def foreign(source: Source) -> list[Turn]:
    """A message in another language."""
    words = source.choose(_FOREIGN).split("|")
    said = " ".join(source.rng.sample(words, source.rng.randrange(1, 5)))
    said = said.capitalize() if source.chance(0.4) else said
    return [Turn(said + source.choose(_MARKS), ENGLISH_ONLY, "refusal")]
