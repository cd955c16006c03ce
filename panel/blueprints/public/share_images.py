"""Share images (Open Graph): `picture_url` is used in every page's head, and this route serves the files."""

from flask import Blueprint, Response, abort, current_app, redirect
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.assets import IMMUTABLE, share_images
from panel.assets.share_images import Picture
from panel.blueprints.shared.help_texts import texts
from panel.blueprints.shared.structured_data import absolute
from panel.domain.status import from_slug

DEFAULT = "orders"
FOLDER = "/pictures"

bp = Blueprint("pictures", __name__)


@bp.record_once
def add_template_globals(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals.update(picture_url=picture_url, picture_size=(share_images.WIDTH, share_images.HEIGHT))


@bp.get(f"{FOLDER}/<name>.png")
def show(name: str) -> ResponseReturnValue:
    """Serve an image by its versioned name; redirects the name of an earlier version to the current one."""
    picture = _picture(name.rpartition("-")[0])
    if picture is None:
        abort(404)
    if picture.file_name != f"{name}.png":
        return redirect(f"{FOLDER}/{picture.file_name}", code=302)
    content = share_images.cached_png(picture, folder=current_app.config["PANEL"].instance / "pictures")
    return Response(content, mimetype="image/png", headers={"Cache-Control": IMMUTABLE})


def picture_url(name: str = DEFAULT) -> str:
    """Absolute URL of the image for a status page, by its slug, or of the one for all other pages."""
    picture = _picture(name)
    if picture is None:
        raise ValueError(f"there is no picture called {name}")
    return absolute(f"{FOLDER}/{picture.file_name}")


def _picture(name: str) -> Picture | None:
    site_name, content = app_context.settings().site_name, texts()
    if name == DEFAULT:
        guide = content.guides["order-statuses"]
        return Picture(DEFAULT, "Promotion for your page, podcast or newsletter", guide.prose.first_sentence, site_name)
    status = from_slug(name)
    if status is None:
        return None
    return Picture(name, content.statuses[status].keys.heading, status.facts.means, site_name, status)
