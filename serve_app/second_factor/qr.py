"""A QR code as an image that a page can show."""

import io

import segno


def as_svg(text: str) -> str:
    """An SVG of dark squares on white with the quiet zone that scanners want, whatever theme surrounds it."""
    image = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        image, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, omitsize=True
    )
    return image.getvalue().decode()
