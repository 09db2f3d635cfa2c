"""What can be asked of a model: the tasks by their Hugging Face names, and what each one takes."""

from enum import StrEnum
from typing import Literal, NamedTuple

Kind = Literal["image", "audio", "video"]
Group = Literal["text", "image", "video", "multimodal"]


class Task(StrEnum):
    """What a model can be asked to do, by its Hugging Face task name."""

    TEXT_GENERATION = "text-generation"
    TEXT_CLASSIFICATION = "text-classification"
    FEATURE_EXTRACTION = "feature-extraction"
    SUMMARIZATION = "summarization"
    TRANSLATION = "translation"
    IMAGE_CLASSIFICATION = "image-classification"
    ZERO_SHOT_IMAGE_CLASSIFICATION = "zero-shot-image-classification"
    OBJECT_DETECTION = "object-detection"
    ZERO_SHOT_OBJECT_DETECTION = "zero-shot-object-detection"
    IMAGE_SEGMENTATION = "image-segmentation"
    MASK_GENERATION = "mask-generation"
    DEPTH_ESTIMATION = "depth-estimation"
    IMAGE_TO_TEXT = "image-to-text"
    VISUAL_QUESTION_ANSWERING = "visual-question-answering"
    IMAGE_TEXT_TO_TEXT = "image-text-to-text"
    IMAGE_FEATURE_EXTRACTION = "image-feature-extraction"
    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    VIDEO_CLASSIFICATION = "video-classification"
    OBJECT_TRACKING = "object-tracking"
    SCENE_DETECTION = "scene-detection"
    VIDEO_TEXT_TO_TEXT = "video-text-to-text"
    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"
    ANY_TO_ANY = "any-to-any"
    AUTOMATIC_SPEECH_RECOGNITION = "automatic-speech-recognition"
    AUDIO_CLASSIFICATION = "audio-classification"
    ZERO_SHOT_AUDIO_CLASSIFICATION = "zero-shot-audio-classification"
    AUDIO_FEATURE_EXTRACTION = "audio-feature-extraction"
    TEXT_TO_SPEECH = "text-to-speech"


class Needs(NamedTuple):
    """What a task takes: its route, the word people read, media of one kind, a text."""

    group: Group
    word: str
    media: Kind | None = None
    text: Literal["none", "optional", "required"] = "none"


TASKS: dict[Task, Needs] = {
    Task.TEXT_GENERATION: Needs("text", "TextGeneration", None, "required"),
    Task.TEXT_CLASSIFICATION: Needs("text", "TextClassification", None, "required"),
    Task.FEATURE_EXTRACTION: Needs("text", "Embedding", None, "required"),
    Task.SUMMARIZATION: Needs("text", "Summarization", None, "required"),
    Task.TRANSLATION: Needs("text", "Translation", None, "required"),
    Task.IMAGE_CLASSIFICATION: Needs("image", "ImageClassification", "image"),
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION: Needs("image", "ZeroShotImageClassification", "image"),
    Task.OBJECT_DETECTION: Needs("image", "ObjectDetection", "image"),
    Task.ZERO_SHOT_OBJECT_DETECTION: Needs("image", "ZeroShotObjectDetection", "image"),
    Task.IMAGE_SEGMENTATION: Needs("image", "ImageSegmentation", "image"),
    Task.MASK_GENERATION: Needs("image", "MaskGeneration", "image"),
    Task.DEPTH_ESTIMATION: Needs("image", "DepthEstimation", "image"),
    Task.IMAGE_TO_TEXT: Needs("image", "ImageCaptioning", "image", "optional"),
    Task.VISUAL_QUESTION_ANSWERING: Needs("image", "VisualQuestionAnswering", "image", "required"),
    Task.IMAGE_TEXT_TO_TEXT: Needs("image", "VisionChat", "image", "optional"),
    Task.IMAGE_FEATURE_EXTRACTION: Needs("image", "ImageEmbedding", "image"),
    Task.TEXT_TO_IMAGE: Needs("image", "ImageGeneration", None, "required"),
    Task.IMAGE_TO_IMAGE: Needs("image", "ImageEditing", "image", "optional"),
    Task.VIDEO_CLASSIFICATION: Needs("video", "VideoClassification", "video"),
    Task.OBJECT_TRACKING: Needs("video", "ObjectTracking", "video"),
    Task.SCENE_DETECTION: Needs("video", "SceneDetection", "video"),
    Task.VIDEO_TEXT_TO_TEXT: Needs("video", "VideoQuestionAnswering", "video", "optional"),
    Task.TEXT_TO_VIDEO: Needs("video", "VideoGeneration", None, "required"),
    Task.IMAGE_TO_VIDEO: Needs("video", "VideoAnimation", "image", "optional"),
    Task.ANY_TO_ANY: Needs("multimodal", "Multimodal", None, "required"),
    Task.AUTOMATIC_SPEECH_RECOGNITION: Needs("multimodal", "SpeechRecognition", "audio"),
    Task.AUDIO_CLASSIFICATION: Needs("multimodal", "AudioClassification", "audio"),
    Task.ZERO_SHOT_AUDIO_CLASSIFICATION: Needs("multimodal", "ZeroShotAudioClassification", "audio"),
    Task.AUDIO_FEATURE_EXTRACTION: Needs("multimodal", "AudioEmbedding", "audio"),
    Task.TEXT_TO_SPEECH: Needs("multimodal", "SpeechSynthesis", None, "required"),
}
"""A task may take more media than it needs: a second picture, a mask."""
