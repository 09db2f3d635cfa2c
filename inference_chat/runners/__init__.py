"""What can do what: for each task its parameters, for each architecture its runner and its tasks."""

from typing import NamedTuple

from ..errors import UnsupportedTask
from ..schema import Options
from ..tasks import TASKS, Task
from .audio import SoundAndTextRunner, SoundClassifierRunner, SoundEncoderRunner, SoundOptions
from .base import Runner
from .caption import CaptionRunner
from .checkpoint import Checkpoint
from .classification import ClassificationOptions, ClassifierRunner
from .ctc import CTCRunner
from .depth import DepthOptions, DepthRunner
from .detection import DetectionOptions, ZeroShotDetectionOptions
from .diffusion import ClipOptions, DiffusionRunner, EditOptions, PictureOptions, tasks_of
from .dual_encoder import DualEncoderRunner, ZeroShotOptions
from .embedding import EmbeddingOptions, EncoderRunner
from .endpoint import TASKS_THERE, EndpointRunner, Remote
from .gguf.runner import GgufRunner
from .mask_generation import MaskRunner
from .multimodal import AboutOptions, MultimodalRunner
from .omni import OmniRunner
from .promptable import PromptableRunner
from .prompts import MaskOptions
from .question import QuestionRunner
from .rewriting import RewritingOptions, RewritingRunner, TranslationOptions
from .scenes import SceneOptions, SceneRunner
from .segmentation import SegmentationOptions, SegmenterRunner
from .sentences import TextClassifierRunner, TextEncoderRunner
from .speech import SpeechOptions
from .text import TextOptions, TextRunner
from .tracking import TrackingOptions, TrackingRunner, ZeroShotTrackingRunner
from .video import ActionOptions, ActionRunner
from .voice import SpectrogramRunner, VoiceOptions, VoiceRunner
from .whisper import WhisperRunner

__all__ = [
    "FAMILIES",
    "OPTIONS",
    "TASKS_THERE",
    "EndpointRunner",
    "Family",
    "Remote",
    "family_of",
    "words_of",
]

OPTIONS: dict[Task, type[Options]] = {
    Task.TEXT_GENERATION: TextOptions,
    Task.IMAGE_CLASSIFICATION: ClassificationOptions,
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION: ZeroShotOptions,
    Task.OBJECT_DETECTION: DetectionOptions,
    Task.ZERO_SHOT_OBJECT_DETECTION: ZeroShotDetectionOptions,
    Task.OBJECT_TRACKING: TrackingOptions,
    Task.VIDEO_CLASSIFICATION: ActionOptions,
    Task.SCENE_DETECTION: SceneOptions,
    Task.IMAGE_SEGMENTATION: SegmentationOptions,
    Task.MASK_GENERATION: MaskOptions,
    Task.DEPTH_ESTIMATION: DepthOptions,
    Task.IMAGE_FEATURE_EXTRACTION: EmbeddingOptions,
    Task.TEXT_TO_IMAGE: PictureOptions,
    Task.IMAGE_TO_IMAGE: EditOptions,
    Task.TEXT_TO_VIDEO: ClipOptions,
    Task.IMAGE_TO_VIDEO: ClipOptions,
    Task.IMAGE_TEXT_TO_TEXT: AboutOptions,
    Task.IMAGE_TO_TEXT: AboutOptions,
    Task.VIDEO_TEXT_TO_TEXT: AboutOptions,
    Task.VISUAL_QUESTION_ANSWERING: AboutOptions,
    Task.ANY_TO_ANY: AboutOptions,
    Task.AUTOMATIC_SPEECH_RECOGNITION: SpeechOptions,
    Task.SUMMARIZATION: RewritingOptions,
    Task.TRANSLATION: TranslationOptions,
    Task.AUDIO_CLASSIFICATION: ClassificationOptions,
    Task.ZERO_SHOT_AUDIO_CLASSIFICATION: SoundOptions,
    Task.AUDIO_FEATURE_EXTRACTION: EmbeddingOptions,
    Task.TEXT_TO_SPEECH: VoiceOptions,
    Task.TEXT_CLASSIFICATION: ClassificationOptions,
    Task.FEATURE_EXTRACTION: EmbeddingOptions,
}
"""The parameters of each task that can be done here: the same for every model that does it."""


class Family(NamedTuple):
    """Architectures with names that end alike, the runner that serves them, and what they can do.

    `keys` are fields that the config must have besides, where the name alone does not tell.
    """

    end: str
    runner: type[Runner]
    tasks: tuple[Task, ...]
    keys: str = ""


SEES = (
    Task.IMAGE_TEXT_TO_TEXT,
    Task.VISUAL_QUESTION_ANSWERING,
    Task.IMAGE_TO_TEXT,
    Task.VIDEO_TEXT_TO_TEXT,
    Task.TEXT_GENERATION,
    Task.ANY_TO_ANY,
)

CLASSIFIES = (Task.IMAGE_CLASSIFICATION, Task.IMAGE_FEATURE_EXTRACTION)
COMPARES = (Task.ZERO_SHOT_IMAGE_CLASSIFICATION, Task.IMAGE_FEATURE_EXTRACTION)
DETECTS = (Task.OBJECT_DETECTION, Task.OBJECT_TRACKING)
LOOKS_FOR = (Task.ZERO_SHOT_OBJECT_DETECTION, Task.OBJECT_TRACKING)
SEGMENTS = (Task.IMAGE_SEGMENTATION,)
EMBEDS = (Task.IMAGE_FEATURE_EXTRACTION,)
CUTS_OUT = (Task.MASK_GENERATION,)
FOLLOWS = (Task.MASK_GENERATION, Task.OBJECT_TRACKING)

PICTURES: tuple[Family, ...] = (
    Family("ForImageClassification", ClassifierRunner, CLASSIFIES),
    Family("ForImageClassificationWithTeacher", ClassifierRunner, CLASSIFIES),
    Family("ForObjectDetection", ZeroShotTrackingRunner, LOOKS_FOR, "text_config"),
    Family("ForObjectDetection", TrackingRunner, DETECTS),
    Family("ForSemanticSegmentation", SegmenterRunner, SEGMENTS),
    Family("ForInstanceSegmentation", SegmenterRunner, SEGMENTS),
    Family("ForUniversalSegmentation", SegmenterRunner, SEGMENTS),
    Family("ForSegmentation", SegmenterRunner, SEGMENTS),
    Family("ForDepthEstimation", DepthRunner, (Task.DEPTH_ESTIMATION,)),
    Family("ViltForQuestionAnswering", QuestionRunner, (Task.VISUAL_QUESTION_ANSWERING,)),
    Family("SamModel", MaskRunner, CUTS_OUT),
    Family("Sam2Model", MaskRunner, CUTS_OUT),
    Family("Sam2VideoModel", PromptableRunner, FOLLOWS),
    Family("SamHQModel", MaskRunner, CUTS_OUT),
    Family("CLIPModel", DualEncoderRunner, COMPARES),
    Family("MetaClip2Model", DualEncoderRunner, COMPARES),
    Family("SiglipModel", DualEncoderRunner, COMPARES),
    Family("Siglip2Model", DualEncoderRunner, COMPARES),
    Family("AlignModel", DualEncoderRunner, COMPARES),
)
ENCODERS: tuple[Family, ...] = (
    Family("Model", EncoderRunner, EMBEDS, "num_channels"),
    Family("Model", EncoderRunner, EMBEDS, "image_size"),
    Family("ModelWithProjection", EncoderRunner, EMBEDS, "image_size"),
)
"""Looked at last: their names tell the least."""

HEARS = (Task.AUTOMATIC_SPEECH_RECOGNITION,)
WRITES_SPEECH = (
    "WhisperForConditionalGeneration",
    "Speech2TextForConditionalGeneration",
    "MoonshineForConditionalGeneration",
    "ForSpeechToText",
    "SpeechEncoderDecoderModel",
)

TELLS_SOUNDS = (Task.AUDIO_CLASSIFICATION, Task.AUDIO_FEATURE_EXTRACTION)
COMPARES_SOUNDS = (Task.ZERO_SHOT_AUDIO_CLASSIFICATION, Task.AUDIO_FEATURE_EXTRACTION)
SPEAKS = (Task.TEXT_TO_SPEECH,)

SOUNDS: tuple[Family, ...] = (
    *(Family(end, WhisperRunner, HEARS) for end in WRITES_SPEECH),
    Family("ForCTC", CTCRunner, HEARS),
    Family("ForAudioClassification", SoundClassifierRunner, TELLS_SOUNDS),
    Family("ForSequenceClassification", SoundClassifierRunner, TELLS_SOUNDS, "conv_dim"),
    Family("Wav2Vec2BertForSequenceClassification", SoundClassifierRunner, TELLS_SOUNDS),
    Family("ClapModel", SoundAndTextRunner, COMPARES_SOUNDS),
    Family("SpeechT5ForTextToSpeech", SpectrogramRunner, SPEAKS),
    Family("VitsModel", VoiceRunner, SPEAKS),
    Family("Model", SoundEncoderRunner, (Task.AUDIO_FEATURE_EXTRACTION,), "conv_dim"),
    Family("ASTModel", SoundEncoderRunner, (Task.AUDIO_FEATURE_EXTRACTION,)),
)
TEXTS: tuple[Family, ...] = (
    Family("ForSequenceClassification", TextClassifierRunner, (Task.TEXT_CLASSIFICATION,)),
    Family("Model", TextEncoderRunner, (Task.FEATURE_EXTRACTION,), "vocab_size"),
    Family("ForMaskedLM", TextEncoderRunner, (Task.FEATURE_EXTRACTION,)),
)

LISTENS = (Task.ANY_TO_ANY, Task.AUTOMATIC_SPEECH_RECOGNITION, Task.TEXT_GENERATION)
SEES_AND_LISTENS = (*SEES, Task.AUTOMATIC_SPEECH_RECOGNITION)
CAPTIONS = (Task.IMAGE_TO_TEXT, Task.VISUAL_QUESTION_ANSWERING)
REWRITES = (Task.SUMMARIZATION, Task.TRANSLATION, Task.TEXT_GENERATION)
CAPTION_MODELS = (
    "BlipForConditionalGeneration",
    "Blip2ForConditionalGeneration",
    "InstructBlipForConditionalGeneration",
    "Florence2ForConditionalGeneration",
    "Pix2StructForConditionalGeneration",
    "Kosmos2ForConditionalGeneration",
    "PaliGemmaForConditionalGeneration",
    "GitForCausalLM",
    "VisionEncoderDecoderModel",
)

FAMILIES: tuple[Family, ...] = (
    *SOUNDS,
    *(Family(end, CaptionRunner, CAPTIONS) for end in CAPTION_MODELS),
    Family("BlipForQuestionAnswering", CaptionRunner, (Task.VISUAL_QUESTION_ANSWERING,)),
    Family("ForConditionalGeneration", MultimodalRunner, SEES_AND_LISTENS, "vision_config audio_config"),
    Family("ForCausalLM", MultimodalRunner, SEES_AND_LISTENS, "vision_config audio_config"),
    Family("ForConditionalGeneration", MultimodalRunner, SEES, "vision_config"),
    Family("ForCausalLM", MultimodalRunner, SEES, "vision_config"),
    Family("ForConditionalGeneration", MultimodalRunner, LISTENS, "audio_config"),
    Family("ForConditionalGeneration", OmniRunner, SEES_AND_LISTENS, "thinker_config"),
    Family("ForConditionalGeneration", RewritingRunner, REWRITES, "is_encoder_decoder"),
    Family("MTModel", RewritingRunner, (Task.TRANSLATION, Task.TEXT_GENERATION)),
    Family("ForCausalLM", TextRunner, (Task.TEXT_GENERATION,)),
    Family("GGUF", GgufRunner, (Task.TEXT_GENERATION,)),
    Family("LMHeadModel", TextRunner, (Task.TEXT_GENERATION,)),
    Family("ForVideoClassification", ActionRunner, (Task.VIDEO_CLASSIFICATION,)),
    Family("SceneDetector", SceneRunner, (Task.SCENE_DETECTION,)),
    *PICTURES,
    *ENCODERS,
    *TEXTS,
)
"""The first that fits serves a model."""


def family_of(checkpoint: Checkpoint) -> Family:
    """The family of a model folder, by its architecture; `UnsupportedTask` when there is none."""
    if checkpoint.framework == "diffusers":
        return Family("Pipeline", DiffusionRunner, tasks_of(checkpoint.config))
    for family in FAMILIES:
        keyed = all(checkpoint.config.get(key) is not None for key in family.keys.split())
        if checkpoint.architecture.endswith(family.end) and keyed:
            return family
    shown = checkpoint.architecture or checkpoint.config.get("model_type") or "unknown"
    raise UnsupportedTask(
        f"{checkpoint.name!r} is a {shown}; models for {', '.join(OPTIONS)} can be run here."
    )


def words_of(family: Family, checkpoint: Checkpoint) -> tuple[str, ...]:
    """The words people read for what a model of a family can do, its main one first."""
    more = family.runner.abilities(checkpoint)
    words = (word for task in family.tasks for word in (TASKS[task].word, *more))
    return tuple(dict.fromkeys(words))
