"""The Hub's way of saying no: a status, an error code that clients act on, and a sentence."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class HubError(Exception):
    """An answer other than 2xx. `code` is the Hub's X-Error-Code, such as "RepoNotFound"."""

    def __init__(self, status: int, message: str, code: str | None = None, **body: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body


async def answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    headers = {"X-Error-Message": error.message} | ({"X-Error-Code": error.code} if error.code else {})
    if request.method == "HEAD":
        return Response(status_code=error.status, headers=headers)
    return JSONResponse({"error": error.message, **error.body}, status_code=error.status, headers=headers)
