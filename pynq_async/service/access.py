"""What routes ask for: who calls, with which scope, the service, and the name of a board."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from .problems import Refusal
from .service import FarmService, service_of
from .tokens import Token

_BEARER = HTTPBearer(auto_error=False, description="A token of the service.")


async def _caller(request: Request, needed: SecurityScopes, _: Annotated[object, Depends(_BEARER)]) -> Token:
    """The token that was sent, which the gate has checked; raises `Refusal` when its scope is not enough."""
    caller = request.state.caller
    assert isinstance(caller, Token)

    for scope in needed.scopes:
        if not caller.allows(scope):  # type: ignore[arg-type]
            challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
            raise Refusal(
                403,
                "insufficient-scope",
                f"this needs a token with the scope {scope}; {caller.name} has {caller.scope}",
                challenge,
            )

    return caller


Service: TypeAlias = Annotated[FarmService, Depends(service_of)]
Reader: TypeAlias = Annotated[Token, Security(_caller, scopes=["read"])]
User: TypeAlias = Annotated[Token, Security(_caller, scopes=["use"])]
Admin: TypeAlias = Annotated[Token, Security(_caller, scopes=["admin"])]
BoardName: TypeAlias = Annotated[str, Path(description="The name of a board.")]
