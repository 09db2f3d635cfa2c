"""What route functions ask for: the service, and the caller that the middleware has identified."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from ..access import Caller
from ..service import Service


async def _service(connection: HTTPConnection) -> Service:
    service: Service = connection.app.state.service
    return service


async def _caller(request: Request, service: Annotated[Service, Depends(_service)]) -> Caller:
    caller: Caller = request.state.caller
    service.admit(caller)
    return caller


TheService = Annotated[Service, Depends(_service)]
TheCaller = Annotated[Caller, Depends(_caller)]
