"""What clients ask in JSON: repositories, commits, refs, trees and pull requests."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import unquote

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import accounts
from .answers import HubError
from .store import LFS_FROM, LFS_SUFFIXES, File, Repository, Store, folders_of, lfs_file


def repository_of(request: Request) -> Repository:
    """Find the repository of the path, for somebody who may see it."""
    kind, name = request.path_params["kind"], "{org}/{name}".format(**request.path_params)
    store: Store = request.app.state.store
    role = accounts.role_of(request)
    try:
        repository = store.get(kind, name)
        if repository.state["meta"].get("private") and role is None:
            raise HubError(404, "Repository not found", "RepoNotFound")
    except HubError as error:
        # The Hub does not tell strangers what exists.
        raise error if role else HubError(401, "Invalid username or password.", error.code) from error
    return repository


def revision_of(request: Request) -> str:
    return unquote(request.path_params.get("revision", "main"))


async def whoami(request: Request) -> Response:
    return JSONResponse(accounts.whoami(request))


async def create_repository(request: Request) -> Response:
    body = await request.json()
    kind, owner = body.get("type", "model"), body.get("organization") or accounts.USER
    accounts.demand_write(request, owner)
    name = f"{owner}/{body['name']}"
    url = f"{request.base_url}{'' if kind == 'model' else f'{kind}s/'}{name}"
    files = {"README.md": f"---\ntitle: {body['name']}\nsdk: {body['sdk']}\n---\n".encode()} if kind == "space" else {}
    private = body.get("visibility") == "private" or body.get("private", False)
    try:
        request.app.state.store.create(kind, name, files, private=private, sdk=body.get("sdk"))
    except HubError as error:
        raise HubError(error.status, error.message, url=url) from error
    return JSONResponse({"url": url, "name": name, "id": name})


async def delete_repository(request: Request) -> Response:
    body = await request.json()
    owner = body.get("organization") or accounts.USER
    accounts.demand_write(request, owner)
    request.app.state.store.delete(body.get("type", "model"), f"{owner}/{body['name']}")
    return Response()


async def validate_yaml(request: Request) -> Response:
    content = (await request.json())["content"]
    try:
        header = yaml.safe_load(content.split("---\n")[1]) if content.startswith("---\n") else {}
        errors = [] if isinstance(header, dict) else [{"message": "YAML metadata must be a mapping"}]
    except yaml.YAMLError as error:
        errors = [{"message": str(error)}]
    return JSONResponse({"errors": errors, "warnings": []}, status_code=400 if errors else 200)


async def repository_info(request: Request) -> Response:
    repository, revision = repository_of(request), revision_of(request)
    sha = repository.resolve(revision)
    meta, commit = repository.state["meta"], repository.state["commits"][sha]
    info = {"_id": repository.name, "id": repository.name, "author": repository.name.split("/")[0], "sha": sha}
    info |= {"lastModified": commit["date"], "private": meta.get("private", False), "gated": False, "disabled": False}
    info |= {"tags": [], "downloads": 0, "likes": 0, "sdk": meta.get("sdk")}
    return JSONResponse(info | {"siblings": [{"rfilename": path} for path in repository.tree(sha)]})


async def refs(request: Request) -> Response:
    repository = repository_of(request)

    def below(prefix: str) -> list[dict[str, str]]:
        named = [(ref, sha) for ref, sha in repository.state["refs"].items() if ref.startswith(prefix)]
        return [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha} for ref, sha in named]

    answer: dict[str, Any] = {"branches": below("refs/heads/"), "tags": below("refs/tags/"), "converts": []}
    if request.query_params.get("include_prs"):
        answer["pullRequests"] = below("refs/pr/")
    return JSONResponse(answer)


async def create_branch(request: Request) -> Response:
    body = await request.body()
    return point(request, "refs/heads/" + revision_of(request), json.loads(body or b"{}").get("startingPoint", "main"))


async def create_tag(request: Request) -> Response:
    return point(request, "refs/tags/" + (await request.json())["tag"], revision_of(request))


def point(request: Request, ref: str, revision: str) -> Response:
    """Let a new ref point to a revision."""
    repository = repository_of(request)
    accounts.demand_write(request, request.path_params["org"])
    if ref in repository.state["refs"]:
        raise HubError(409, f"Reference {ref} already exists")
    repository.state["refs"][ref] = repository.resolve(revision)
    repository.save()
    return Response()


async def delete_ref(request: Request) -> Response:
    repository = repository_of(request)
    accounts.demand_write(request, request.path_params["org"])
    folder = {"tag": "refs/tags/", "branch": "refs/heads/"}[request.path_params["ref"]]
    del repository.state["refs"][folder + revision_of(request)]
    repository.save()
    return Response()


def described(path: str, file: File) -> dict[str, Any]:
    lfs = {"lfs": {"oid": file["lfs"], "size": file["size"], "pointerSize": 134}} if file["lfs"] else {}
    return {"type": "file", "oid": file["oid"], "size": file["size"], "path": path, **lfs}


def folder_described(path: str) -> dict[str, Any]:
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}


async def tree(request: Request) -> Response:
    files = repository_of(request).tree(revision_of(request))
    folder = unquote(request.path_params.get("path", ""))
    prefix = f"{folder}/" if folder else ""
    inside = {path: file for path, file in files.items() if path.startswith(prefix)}
    if folder and not inside:
        raise HubError(404, f'{folder} does not exist on "{revision_of(request)}"', "EntryNotFound")
    entries = [folder_described(path) for path in folders_of(inside) if path.startswith(prefix)]
    entries += [described(path, file) for path, file in inside.items()]
    if request.query_params.get("recursive", "").lower() not in ("true", "1"):
        entries = [entry for entry in entries if "/" not in entry["path"].removeprefix(prefix)]
    return JSONResponse(entries)


async def paths_info(request: Request) -> Response:
    files = repository_of(request).tree(revision_of(request))
    if request.headers["content-type"].startswith("application/json"):
        paths = (await request.json())["paths"]
    else:
        paths = (await request.form()).getlist("paths")
    folders = set(folders_of(files))
    entries = [described(path, files[path]) for path in paths if path in files]
    return JSONResponse(entries + [folder_described(path) for path in paths if path in folders])


async def preupload(request: Request) -> Response:
    repository = repository_of(request)
    accounts.demand_write(request, request.path_params["org"])
    there = repository.tree(revision_of(request))

    def answer(path: str, size: int) -> dict[str, Any]:
        mode = "lfs" if path.endswith(LFS_SUFFIXES) or size >= LFS_FROM else "regular"
        remote = there.get(path)
        oid = (remote["lfs"] or remote["oid"]) if remote else None
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    return JSONResponse({"files": [answer(file["path"], file["size"]) for file in (await request.json())["files"]]})


async def commit(request: Request) -> Response:
    """Apply the lines of a commit to a branch, to a pull request, or to a new pull request."""
    repository = repository_of(request)
    accounts.demand_write(request, request.path_params["org"])
    ref = repository.ref(revision_of(request))
    operations = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
    tree, header = dict(repository.tree(ref)), {}
    for operation in operations:
        value = operation["value"]
        match operation["key"]:
            case "header":
                header = value
            case "file":
                tree[value["path"]] = repository.put_small(base64.b64decode(value["content"]))
            case "lfsFile":
                content = repository.object(value["oid"])
                if not content.exists():
                    raise HubError(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                tree[value["path"]] = lfs_file(value["oid"], content.stat().st_size)
            case "deletedFile":
                del tree[value["path"]]
            case "deletedFolder":
                tree = {path: file for path, file in tree.items() if not path.startswith(value["path"])}
    if header.get("parentCommit") not in (None, repository.resolve(ref)):
        raise HubError(412, "A commit has happened since. Please refresh and try again.")
    url = f"{request.base_url}{repository.kind}s/{repository.name}"
    pull_request = None
    if request.query_params.get("create_pr"):
        number = len(repository.state["discussions"]) + 1
        discussion = {"num": number, "title": header["summary"], "status": "open", "isPullRequest": True}
        discussion |= {"author": {"name": accounts.USER}, "createdAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z")}
        discussion |= {"repo": {"name": repository.name, "type": repository.kind}}
        repository.state["discussions"].append(discussion)
        base, ref = repository.resolve(ref), f"refs/pr/{number}"
        repository.state["refs"][ref] = base
        pull_request = f"{url}/discussions/{number}"
    sha = repository.commit(ref, header["summary"], tree)
    return JSONResponse({"commitUrl": f"{url}/commit/{sha}", "commitOid": sha, "pullRequestUrl": pull_request})


async def discussions(request: Request) -> Response:
    repository, query = repository_of(request), request.query_params
    found = [
        discussion
        for discussion in repository.state["discussions"]
        if query.get("status") in (None, "all", discussion["status"])
        and query.get("author") in (None, discussion["author"]["name"])
    ]
    return JSONResponse({"discussions": found, "count": len(found), "start": 0})


ROUTES = [
    Route("/api/whoami-v2", whoami),
    Route("/api/repos/create", create_repository, methods=["POST"]),
    Route("/api/repos/delete", delete_repository, methods=["DELETE"]),
    Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
    *(
        Route("/api/{kind}s/{org}/{name}" + path, endpoint, methods=[method])
        for method, path, endpoint in (
            ("GET", "", repository_info),
            ("GET", "/revision/{revision}", repository_info),
            ("GET", "/refs", refs),
            ("POST", "/branch/{revision}", create_branch),
            ("POST", "/tag/{revision}", create_tag),
            ("DELETE", "/{ref}/{revision}", delete_ref),
            ("GET", "/tree/{revision}", tree),
            ("GET", "/tree/{revision}/{path:path}", tree),
            ("POST", "/paths-info/{revision}", paths_info),
            ("POST", "/preupload/{revision}", preupload),
            ("POST", "/commit/{revision}", commit),
            ("GET", "/discussions", discussions),
        )
    ),
]
