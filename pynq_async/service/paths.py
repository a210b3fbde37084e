"""Where in the service a request goes, wherever the service itself is mounted."""

from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """The path below the service, exactly as its routes take it: what one sees, the gate must see too."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if f"{path}/".startswith(f"{root}/") else path
