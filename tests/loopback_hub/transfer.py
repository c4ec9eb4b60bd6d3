"""How the files' bytes travel: LFS up, resolve down."""

from __future__ import annotations

import hashlib
import uuid
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from . import accounts
from .answers import HubError
from .api import repository_of, revision_of


async def lfs_batch(request: Request) -> Response:
    """Tell for each object where to send it, or nothing where it is here already."""
    repository = repository_of(request)
    accounts.demand_write(request, request.path_params["org"])
    there = f"{request.base_url}lfs/{repository.kind}s/{repository.name}"
    objects = [{"oid": wanted["oid"], "size": wanted["size"]} for wanted in (await request.json())["objects"]]
    for wanted in objects:
        if not repository.object(wanted["oid"]).exists():
            wanted["actions"] = {"upload": {"href": f"{there}/{wanted['oid']}"}}
    return JSONResponse({"transfer": "basic", "objects": objects})


async def lfs_put(request: Request) -> Response:
    """Take an object; it is there once all of it has come and its hash is right."""
    repository = request.app.state.store.get(request.path_params["kind"], "{org}/{name}".format(**request.path_params))
    oid = request.path_params["oid"]
    scratch = repository.object(f"{oid}.{uuid.uuid4().hex}.tmp")
    digest = hashlib.sha256()
    try:
        with scratch.open("wb") as file:
            async for chunk in request.stream():
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != oid:
            raise HubError(400, f"The object does not match its hash {oid}")
        scratch.replace(repository.object(oid))
    finally:
        scratch.unlink(missing_ok=True)
    return Response()


async def resolve(request: Request) -> Response:
    """Give a file, or the range of it that is asked for, with the headers that clients keep their caches by."""
    repository, path = repository_of(request), unquote(request.path_params["path"])
    sha = repository.resolve(revision_of(request))
    file = repository.tree(sha).get(path)
    if file is None:
        raise HubError(404, "Entry not found", "EntryNotFound")
    etag = f'"{file["lfs"] or file["oid"]}"'
    headers = {"X-Repo-Commit": sha, "ETag": etag, "X-Linked-Etag": etag, "X-Linked-Size": str(file["size"])}
    headers["Accept-Ranges"] = "bytes"
    return FileResponse(repository.object(etag.strip('"')), headers=headers, media_type="application/octet-stream")


ROUTES = [
    Route("/lfs/{kind}s/{org}/{name}/{oid}", lfs_put, methods=["PUT"]),
    Route("/{kind}s/{org}/{name}.git/info/lfs/objects/batch", lfs_batch, methods=["POST"]),
    Route("/{kind}s/{org}/{name}/resolve/{revision}/{path:path}", resolve, methods=["GET", "HEAD"]),
]
