"""Reading untrusted images, and making new ones of them."""

import struct
from io import BytesIO

from PIL import Image, ImageFilter, ImageOps

from bgcheck_reference.schemas_images import Filter, Fit, ImageFormat, Plan

ACCEPTED = ("JPEG", "PNG", "WEBP", "GIF")


class ImageError(ValueError):
    """The bytes are no image that is accepted; the message can be shown to the client."""


def sniff(data: bytes, max_pixels: int) -> str:
    """Find the format of an image by its content, without decoding its pixels.

    Args:
        data: the bytes that a client calls an image.
        max_pixels: the largest product of width and height.

    Returns:
        The format, one of `ACCEPTED`.

    Raises:
        ImageError: it is none of these, or has more pixels.
    """
    try:
        with Image.open(BytesIO(data), formats=ACCEPTED) as image:
            name, (width, height) = image.format, image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"The image has more than {max_pixels} pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"Not an image of the formats {', '.join(ACCEPTED)}") from error
    if width * height > max_pixels:
        raise ImageError(f"The image has more than {max_pixels} pixels")
    return str(name)


def transform(data: bytes, plan: Plan) -> tuple[bytes, tuple[int, int]]:
    """Resize and filter an image.

    The first frame is taken and turned as its metadata says; the metadata, which may tell where
    the picture was taken, is left out.

    Args:
        data: an image that `sniff` has accepted.
        plan: what to make of it.

    Returns:
        The new image as a file, and its width and height.
    """
    with Image.open(BytesIO(data), formats=ACCEPTED) as opened:
        image = _upright(opened).convert("RGBA")
    image = _resize(image, plan)
    for wanted in plan.filters:
        image = _filter(image, wanted)
    return _encode(image, plan.format), image.size


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, TypeError, ValueError, struct.error):  # broken metadata, sound pixels
        return image


def _resize(image: Image.Image, plan: Plan) -> Image.Image:
    size = (plan.width, plan.height)
    if plan.fit is Fit.CONTAIN:
        # Makes small images no larger.
        image.thumbnail(size)
        return image
    if plan.fit is Fit.COVER:
        return ImageOps.fit(image, size)
    return image.resize(size)


def _filter(image: Image.Image, wanted: Filter) -> Image.Image:
    alpha = image.getchannel("A")
    colours = image.convert("RGB")
    if wanted is Filter.GRAYSCALE:
        changed = ImageOps.grayscale(colours).convert("RGB")
    elif wanted is Filter.BLUR:
        changed = colours.filter(ImageFilter.GaussianBlur(4))
    elif wanted is Filter.SHARPEN:
        changed = colours.filter(ImageFilter.UnsharpMask())
    else:
        changed = colours.filter(ImageFilter.FIND_EDGES)
    changed.putalpha(alpha)
    return changed


def _encode(image: Image.Image, image_format: ImageFormat) -> bytes:
    if image_format is ImageFormat.JPEG:
        # JPEG has no transparency: what shows through is white.
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    image.info.clear()
    output = BytesIO()
    image.save(output, image_format.value)
    return output.getvalue()
