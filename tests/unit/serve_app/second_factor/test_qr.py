"""The QR code is one image that says the whole text."""

from xml.etree import ElementTree

from serve_app.second_factor.qr import as_svg

URI = "otpauth://totp/Mobula:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Mobula"


def test_is_an_image_without_scripts_that_scales() -> None:
    root = ElementTree.fromstring(as_svg(URI))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox")
    assert root.get("width") is None
    assert {child.tag.rpartition("}")[2] for child in root.iter()} == {"svg", "g", "path"}


def test_different_texts_look_different() -> None:
    assert as_svg(URI) == as_svg(URI)
    assert as_svg(URI) != as_svg(URI.replace("ada", "bob"))
