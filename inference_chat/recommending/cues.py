"""Words that give a task away in a request, read plainly: a second opinion beside the model that reads.

Each cue is worth points for some tasks. What a request is about (a picture, a clip, a sound, a text) counts
against tasks that take something else.
"""

import re

from ..tasks import TASKS, Kind, Task

T = Task
ABOUT: dict[Kind, str] = {
    "image": r"photos?|pictures?|pics?|images?|snapshots?|selfies?|scans?|scanned|x-?rays?|mammograms?|drone shots?"
    r"|screenshots?|portraits?|aerial|satellite|microscope|webcam|camera|sketch|photographed|jpe?gs?|mri",
    "video": r"videos?|clips?|films?|movies?|footage|vlogs?|cctv|frames|gifs?|mp4|dashcam|b-?roll|tiktoks?|match",
    "audio": r"audio|sounds?|songs?|voice ?(?:memos?|messages?|notes?|mails?)|voicemails?|podcasts?|mp3|microphone"
    r"|dictat\w+|lectures? recordings?|recordings?|recorded|hum|noises?|spoken|calls?\b(?! it)|radio|music|interview",
}
MADE = r"\b(?:make|create|generate|draw|paint|sketch|design|render|produce|illustrate|imagine|compose|film)\b"
THING = r"(?:picture|image|photo|drawing|painting|poster|logo|illustration|artwork|icon|wallpaper|avatar|art|cover)"
FILM = r"(?:video|clip|movie|film|animation|animated|footage|gif|b-?roll|scene)"
LOOK = r"(?:photo|picture|image|pic|snapshot|portrait|selfie|sketch|drawing)"
LANGUAGES = (
    "english|german|french|spanish|italian|portuguese|dutch|danish|swedish|norwegian|finnish|polish|russian|czech"
    "|chinese|mandarin|japanese|korean|arabic|turkish|greek|hindi|hungarian|romanian|ukrainian|hebrew|latin|thai"
)
CUES: tuple[tuple[str, dict[Task, float]], ...] = (
    # text
    (
        r"\b(write|draft|compose|brainstorm|come up with|rewrite|rhyme|give me (?:some |\w+ )?ideas?)\b",
        {T.TEXT_GENERATION: 2},
    ),
    (
        r"\b(email|letter|poem|story|essay|slogan|speech|code|function|script|recipe|toast|excuse|html|python)\b",
        {T.TEXT_GENERATION: 0.7},
    ),
    (
        r"^(why|what should|what are good|what's a good|can you|how do i|tell me about|explain)\b",
        {T.TEXT_GENERATION: 1},
    ),
    (r"\b(chat|talk) (?:with|to) (?:me|someone|a bot)\b|\bpen pal\b|\bchatbot\b", {T.TEXT_GENERATION: 2}),
    (
        r"\b(sentiment|positive|negative|spam|scam|phishing|toxic|hate|sarcas\w+|emotions?|opinion|complain\w*|urgen\w+|angry|happy|worried|rude|polite)\b",
        {T.TEXT_CLASSIFICATION: 2},
    ),
    (
        rf"^(?:is|are|was|were|does|do|can|has|what|how|which|who|where)\b(?!.*\b(?:kind|breed|species|type|sort) of)[^?]*\b{LOOK}s?\b[^?]*\?|\b(?:photo|picture|image) of [^,]*, (?:is|are|do|does|can|how|what)\b",
        {T.VISUAL_QUESTION_ANSWERING: 1.4},
    ),
    (
        rf"^what(?:'s| is| are)\b[^?]*\b(?:in|on|from|between|behind|under|eating|holding|wearing)\b[^?]*{LOOK}",
        {T.VISUAL_QUESTION_ANSWERING: 1},
    ),
    (
        r"\b(?:message|note|reply|invitation|caption ideas|joke|bedtime|menu) (?:to|for|about)\b",
        {T.TEXT_GENERATION: 1.2},
    ),
    (
        r"\b(?:paragraph|sentence|statement|review|letter|tweet|comment|text) (?:\w+ )?(?:an? |is |expresses? |sounds? )*\w*(?:opinion|positive|fact|angry|rude|formal)\b|\bfact or\b|\bor a fact\b",
        {T.TEXT_CLASSIFICATION: 2},
    ),
    (
        r"\bin meaning\b|\bby theme\b|\bby topic\b|\bby content\b|\bdistances? between (?:texts|sentences)",
        {T.FEATURE_EXTRACTION: 2},
    ),
    (
        r"\b(?:reduce|cut|trim|compress)\b[^.?!]*\b(?:to|down)\b|\bkey (?:statements|facts|messages|takeaways)\b|\bhighlights of\b|\btakeaways\b",
        {T.SUMMARIZATION: 2},
    ),
    (r"\b(?:in front|behind|foreground|how close|how deep|how near|far away)\b", {T.DEPTH_ESTIMATION: 1.6}),
    (r"\bas a class\b|\bclasses that i\b|\bonly describe\b", {T.ZERO_SHOT_IMAGE_CLASSIFICATION: 3}),
    (
        r"\bwhat i(?:'m saying| say)\b|\btype (?:up )?what\b|\bwhile i talk\b|\bi (?:talk|speak|dictate)\b",
        {T.AUTOMATIC_SPEECH_RECOGNITION: 2.4},
    ),
    (
        r"\b(?:to me|to us|to my \w+)\b[^.?!]*\bwhile\b|\bread (?:the|my|a|this|these) (?:\w+ )?(?:news|book|story|article|email|chapter|recipe|page)\b",
        {T.TEXT_TO_SPEECH: 2},
    ),
    (r"\bi (?:want|need|would like) an? (?:\w+ )?(?:clip|video|movie|animation)\b", {T.TEXT_TO_VIDEO: 2.4}),
    (
        r"\b(?:what|which) (?:yoga |dance |sport |swimming )?(?:pose|move|stroke|trick|exercise|sport|dance|action|gesture)\b|\btell from (?:a |the )?(?:short )?(?:clip|video)\b",
        {T.VIDEO_CLASSIFICATION: 2},
    ),
    (r"\bhow many (?:shots|scenes|cuts)\b", {T.SCENE_DETECTION: 2.4}),
    (
        rf"\bquestions? about (?:a|the|my|this) (?:\w+ )?{FILM}\b|\bask (?:the|a|my) (?:\w+ )?{FILM}\b",
        {T.VIDEO_TEXT_TO_TEXT: 2},
    ),
    (
        r"\b(reviews?|comments?|tweets?|tickets?|headlines?|posts?|e-?mails?|mail|messages?|inbox|feedback)\b",
        {T.TEXT_CLASSIFICATION: 0.8},
    ),
    (
        r"\b(classif\w+|categor\w+|label|tag|sort|flag|route|assign)\b",
        {
            T.TEXT_CLASSIFICATION: 0.7,
            T.IMAGE_CLASSIFICATION: 0.7,
            T.VIDEO_CLASSIFICATION: 0.7,
            T.AUDIO_CLASSIFICATION: 0.7,
            T.ZERO_SHOT_IMAGE_CLASSIFICATION: 0.4,
        },
    ),
    (
        r"\b(embed\w*|vectors?|semantic\w*|nearest|duplicates?|cluster|by meaning|similar\w*|resembl\w+|rag|same thing|close in meaning)\b",
        {T.FEATURE_EXTRACTION: 2.2},
    ),
    (
        r"\b(searchable|search (?:over|through|my|our)|look up|match\w* questions?)\b",
        {T.FEATURE_EXTRACTION: 1},
    ),
    (
        r"\b(summar\w+|tl;?dr|gist|shorten|shorter|condens\w+|digest|abstract|key points|main points|main ideas|boil\w*|short version|in brief|in short|recap|nutshell|reduce the)\b",
        {T.SUMMARIZATION: 2.5},
    ),
    (r"\btranslat\w+|\blocali[sz]e\b|\binterpreter\b", {T.TRANSLATION: 3.5}),
    (
        rf"\b(in|into|to|from) ({LANGUAGES})\b|\b({LANGUAGES}) (to|into)\b|\b(only|is|are) in ({LANGUAGES})\b",
        {T.TRANSLATION: 2.5},
    ),
    (  # a language to talk in is none to translate into
        rf"^(?!.*translat).*\b(?:chat|talk|convers\w+|discuss|small talk|answers?|assistant)\b[^.?!]*\b(?:in|speaks?) (?:{LANGUAGES})\b",
        {T.TEXT_GENERATION: 4, T.TRANSLATION: -4},
    ),
    # looking at pictures
    (
        r"\b(what (?:kind|breed|species|sort|type|model|make)|which (?:species|breed|kind|car model|type)|is (?:this|my|the) [^?]* or\b|(?:sick|ripe|benign|healthy) (?:or|from)|recogni[sz]e|identify|grade)\b",
        {T.IMAGE_CLASSIFICATION: 1.4, T.AUDIO_CLASSIFICATION: 0.8},
    ),
    (
        r"\b(?:my|own|custom|these|any|free)\b[^.?!]*\b(?:labels?|tags?|classes|categories|words|list|captions?|terms)\b|\b(?:without|no) (?:any )?(?:training|examples?|labelled)\b|zero.?shot|which (?:caption|words?)\b|\bfits?\b",
        {T.ZERO_SHOT_IMAGE_CLASSIFICATION: 2},
    ),
    (
        r"\b(find|count|locat\w+|where (?:is|are)|how many|detect\w*|spot|mark|draw (?:a |the )?(?:box|rectangle|frame)\w*|bounding|box(?:es)?|coordinates|rectangles?)\b",
        {T.OBJECT_DETECTION: 1.6},
    ),
    (
        r"\b(parts|pallets|screws|bottles|cars|people|faces|products|defects|items|things|objects) (?:on|in|at) (?:a |the |our )?(?:conveyor|belt|shelf|shelves|line|street|photo|picture|image|warehouse|parking)\b|\bconveyor\b",
        {T.OBJECT_DETECTION: 1.6},
    ),
    (
        r"open.?vocab\w*|\b(?:anything|arbitrary|any (?:object|noun|thing|word)|whatever)\b[^.?!]*\b(?:describe|type|name|words?|text|prompt|in)\b|by (?:just )?(?:naming|writing|typing|describing)|\bmatching my words\b|[\"“][^\"”]+[\"”][^.?!]*\b(?:image|photo|picture|find|detect|locate)\b|\b(?:find|detect|locate|box)\b[^.?!]*[\"“]",
        {T.ZERO_SHOT_OBJECT_DETECTION: 2.6},
    ),
    (
        r"\b(cut (?:\w+ )*out|background|mask|outline|contour|pixels?|segment\w*|silhouette|exact (?:area|shape|border)|area of|trace the (?:coast|border|edge|outline)\w*|silhouettes?|region)\b",
        {T.IMAGE_SEGMENTATION: 2.3},
    ),
    (
        r"\b(depth|how far|distance|near(?:er)?\b[^.?!]*\bfar|nearer|closer|closest|3-?d|relief|metres?|meters?|z for)\b",
        {T.DEPTH_ESTIMATION: 2.5},
    ),
    (
        r"\b(caption|alt.?text|describe|description of|ocr|read the text|what is written|what does (?:this|the) (?:sign|screenshot|label|note)|text (?:from|out of|on|in)|words (?:out of|from) a (?:photo|picture)|handwrit\w+)\b",
        {T.IMAGE_TO_TEXT: 1.8},
    ),
    (
        rf"\b(?:what|which|is|are|does|do|how many|who|where|can you see)\b[^?]*\b(?:in|on|from|of|at) (?:this|the|my|that|an?) {LOOK}\b|\bquestions? (?:about|on|to|regarding) [^.]*{LOOK}|\bask\b[^.]*\b(?:{LOOK}|chart|diagram|x-?ray)|\banswer[^.]*\bfrom [^.]*{LOOK}|\b(?:chart|diagram|graph)\b",
        {T.VISUAL_QUESTION_ANSWERING: 1.7},
    ),
    # making pictures
    (
        rf"{MADE}[^.?!]*\b{THING}\b|\b(?:draw|paint|illustrate|sketch)\b(?! (?:a |the )?(?:box|rectangle|line|its path|frame|boxes|bounding))|\b{THING} of\b|\bconcept art\b|\bwallpaper\b|\billustration\b|\blogo\b",
        {T.TEXT_TO_IMAGE: 2},
    ),
    (
        rf"\b(colou?ri[sz]e|upscale|sharpen|retouch|restore|inpaint|fill in|photoshop|look like|in the style of|make (?:my|this|the) {LOOK}|turn (?:my|this|the|a) (?:{LOOK}|day|summer|selfie)|edit (?:my|the|this)|change [^.?!]* (?:in|on|of) (?:this|the|my) {LOOK}|remove [^.?!]* from (?:my|the|this)|blurry|cartoon look|replace [^.?!]* (?:in|on))\b",
        {T.IMAGE_TO_IMAGE: 2.3},
    ),
    # clips
    (
        r"\b(walking|running|dance|dancing|gestures?|exercises?|falling|fight\w*|sport|action|activity|what (?:people|they) do|doing)\b",
        {T.VIDEO_CLASSIFICATION: 1.3},
    ),
    (
        r"\b(follow|track(?:s|ing)?\b|path of|where (?:does|did)[^?]*\b(?:go|run|walk)|same id|keep an id|without counting|twice|trajector\w+|crossing the line|through the (?:video|footage|match|clip)|from frame to frame|speed of)\b",
        {T.OBJECT_TRACKING: 2.4},
    ),
    (
        r"\b(cuts\b|shots?\b|scenes?\b|chapters?|scene changes?|camera (?:switch|change)\w*|transitions?|split)\b",
        {T.SCENE_DETECTION: 1.6},
    ),
    (
        rf"\b(?:what|who|when|why|which|how|explain|describe|summar\w+|ask|caption|questions?|tell me)\b[^.?!]*\b(?:{FILM}|recording)\b",
        {T.VIDEO_TEXT_TO_TEXT: 1.8},
    ),
    (
        rf"(?:{MADE}|\banimate\b|\bturn\b)[^.?!]*\b{FILM}\b|\banimate\b|\b(?:video|movie|clip) of\b|\bget a (?:movie|video|clip)\b",
        {T.TEXT_TO_VIDEO: 2.3},
    ),
    # sounds
    (
        r"\b(transcri\w+|dictat\w+|subtitles?|speech.?to.?text|write down what|what is said|word for word|typed|voice memo|into (?:text|words)|minutes from)\b",
        {T.AUTOMATIC_SPEECH_RECOGNITION: 2.4},
    ),
    (
        r"\b(instrument|genre|barking|howl\w*|siren|engine|glass breaking|crying|laughing|cough\w*|bird ?(?:call|song)|by (?:its|their) (?:call|sound|song)|listen\w*|which animal|music or|speech or|hear)\b",
        {T.AUDIO_CLASSIFICATION: 1.7},
    ),
    (
        r"\b(aloud|out loud|audiobooks?|voice.?over|narrat\w+|speak\b|text.?to.?speech|say (?:this|the|it|welcome|hello)|read (?:my|this|the|it|me)\b|female voice|male voice|a voice (?:for|say)|spoken (?:announcement|version)\w*|into an audio|announce\w*)\b",
        {T.TEXT_TO_SPEECH: 2.3},
    ),
    # everything together
    (
        r"\b(omni\w*|multi-?modal|any input|all modalit\w+|whichever form|any (?:kind|mix) of|sees,? (?:and )?hears|text, (?:sound|image|audio)|audio, images?|pictures? (?:and|plus) (?:sound|audio|voice|a voice)|voice (?:message |note )?(?:plus|and) (?:a )?(?:photo|picture|image)\w*|show (?:it )?pictures? to|speaks? (?:the|back)|spoken (?:reply|answer))\b",
        {T.ANY_TO_ANY: 3},
    ),
)
WRITTEN = re.compile(
    r"\b(?:transcripts?|lyrics|articles?|reports?|paragraphs?|sentences?|essays?|contracts?|documents?|texts?|notes|paper|chapters?|emails?|reviews?)\b"
)
COMPILED = tuple((re.compile(pattern), worth) for pattern, worth in CUES)
MEDIA = {kind: re.compile(rf"\b(?:{pattern})\b") for kind, pattern in ABOUT.items()}
OTHER_MEDIUM = -2.0
"""For a task that takes a medium which is not mentioned while another is."""
UNSAID = -0.7
"""For a task that takes a medium where none is mentioned."""
SAID = 0.4


def points(request: str) -> dict[Task, float]:
    """Points of every task: what cues speak for it, and whether it takes what the request is about."""
    text = request.lower()
    found = dict.fromkeys(Task, 0.0)
    for pattern, worth in COMPILED:
        if pattern.search(text):
            for task, value in worth.items():
                found[task] += value
    about = {kind for kind, pattern in MEDIA.items() if pattern.search(text)}
    return {task: value + _fitting(task, about, text) for task, value in found.items()}


def _fitting(task: Task, about: set[Kind], text: str) -> float:
    takes = TASKS[task].media
    if task in MAKE_OR_MIX:
        return 0.0
    if takes is None:
        return 0.0 if not about or WRITTEN.search(text) else OTHER_MEDIUM / 2
    if takes in about:
        return SAID
    return OTHER_MEDIUM if about else UNSAID


MAKE_OR_MIX = (Task.ANY_TO_ANY, Task.TEXT_TO_IMAGE, Task.TEXT_TO_VIDEO, Task.TEXT_TO_SPEECH)
"""What these make is what their requests are about."""
