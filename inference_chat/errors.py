"""Every deliberate error of Inference Chat.

The tree, with the stable `code` that every door answers with::

    InferenceChatError
    ├── InvalidRequest            invalid_request
    │   ├── InvalidModel          invalid_request         the folder, repo or card is not a usable model
    │   ├── UnsupportedTask       unsupported_task
    │   └── UnsafeModel           unsafe_model            pickle weights or remote code
    ├── NotFound
    │   ├── ModelNotFound         model_not_found
    │   ├── VersionNotFound       version_not_found
    │   ├── SessionNotFound       session_not_found
    │   └── MessageNotFound       message_not_found
    ├── Conflict                  conflict                the caller's picture is older than ours
    │   ├── ModelExists           model_exists
    │   ├── ModelBusy             model_busy
    │   └── SessionBusy           session_busy            a reply is being written in this conversation
    ├── BadMedia                  bad_media
    ├── TooLarge                  too_large
    ├── UnsupportedMediaType      unsupported_media_type
    ├── Unauthorized              unauthorized
    ├── Forbidden                 forbidden
    ├── TryLater                                          carries `retry_after` in seconds
    │   ├── RateLimited           rate_limited
    │   ├── Overloaded            overloaded
    │   ├── OutOfMemory           out_of_memory
    │   ├── EndpointUnavailable   endpoint_unavailable  a server that runs the model is down
    │   ├── HubUnavailable        hub_unavailable       the Hugging Face hub cannot be reached
    │   └── StorageFailed         storage_failed          full disk, locked or corrupt file
    ├── DeadlinePassed            timeout
    ├── ModelFailed               model_failed
    └── SettingsError             invalid_settings        stops the start

A message says what would work. It is shown to clients as it stands, so it never holds a path of the
host, a secret or a traceback.
"""

from typing import ClassVar


class InferenceChatError(Exception):
    """Base of every deliberate error; `detail` is the sentence people read."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequest(InferenceChatError):
    """A field is missing, unknown, of the wrong type or out of its bounds."""

    code = "invalid_request"


class InvalidModel(InvalidRequest):
    """What was named as a model cannot be loaded as one."""


class UnsupportedTask(InvalidRequest):
    """The model cannot do what was asked of it."""

    code = "unsupported_task"


class UnsafeModel(InvalidRequest):
    """Loading the model would run code that came with it."""

    code = "unsafe_model"


class NotFound(InferenceChatError):
    """Nothing is known under that name."""

    code = "not_found"


class ModelNotFound(NotFound):
    """No model has that name; similar names are said."""

    code = "model_not_found"


class VersionNotFound(NotFound):
    """The model has no such version."""

    code = "version_not_found"


class SessionNotFound(NotFound):
    """There is no such conversation, or it is another's."""

    code = "session_not_found"


class MessageNotFound(NotFound):
    """The conversation has no such message."""

    code = "message_not_found"


class Conflict(InferenceChatError):
    """The request contradicts the present state; look again, then retry."""

    code = "conflict"


class ModelExists(Conflict):
    """That version of the model is registered already."""

    code = "model_exists"


class ModelBusy(Conflict):
    """The model is in use."""

    code = "model_busy"


class SessionBusy(Conflict):
    """A reply is being written in this conversation."""

    code = "session_busy"


class BadMedia(InferenceChatError):
    """An image, sound or clip cannot be decoded, or is not what it says it is."""

    code = "bad_media"


class TooLarge(InferenceChatError):
    """A body, file, picture, clip or prompt is above its configured limit."""

    code = "too_large"


class UnsupportedMediaType(InferenceChatError):
    """The body is of a type that is not understood here."""

    code = "unsupported_media_type"


class Unauthorized(InferenceChatError):
    """A key is set, and it is missing or wrong."""

    code = "unauthorized"


class Forbidden(InferenceChatError):
    """The operator has switched this off."""

    code = "forbidden"


class TryLater(InferenceChatError):
    """The same request may succeed after `retry_after` seconds."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class RateLimited(TryLater):
    """More requests than `RATE_LIMIT`; `Retry-After` says when to try again."""

    code = "rate_limited"


class QuotaUsed(RateLimited):
    """The key, or the address, has used up its `QUOTA`; `Retry-After` says when it begins anew."""

    code = "quota_used"


class Overloaded(TryLater):
    """The queue is full, or the server is being stopped; `Retry-After` says when to try again."""

    code = "overloaded"


class OutOfMemory(TryLater):
    """The model does not fit, even after every idle model was unloaded."""

    code = "out_of_memory"


class EndpointUnavailable(TryLater):
    """The server that runs the model cannot be reached, is busy, or is left alone after failures in a row."""

    code = "endpoint_unavailable"


class HubUnavailable(TryLater):
    """The Hugging Face hub cannot be reached, or is switched off; what is on this machine works."""

    code = "hub_unavailable"


class StorageFailed(TryLater):
    """The disk is full, or a file is locked, read-only or damaged."""

    code = "storage_failed"


class DeadlinePassed(InferenceChatError):
    """The request's deadline passed; its compute has been stopped."""

    code = "timeout"


class ModelFailed(InferenceChatError):
    """The model raised; the process, other models and other requests go on."""

    code = "model_failed"


class SettingsError(InferenceChatError):
    """A setting cannot be used; one line names the variable, its value and what is allowed."""

    code = "invalid_settings"
