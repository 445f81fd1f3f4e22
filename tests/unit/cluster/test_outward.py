"""Production that nobody outside could use does not start."""

from pathlib import Path

import pytest

from cluster.outward import outward_problems
from cluster.settings import ProductionRefused, Settings, require_production_ready

STRONG = "9f3b" * 4 + "a1c7e5d2" * 3
OUTWARD = {
    "smtp_host": "mail.shop.example",
    "mail_from": "Shop <shop@shop.example>",
    "public_url": "https://shop.example",
    "realtime_public_url": "wss://shop.example/connection/websocket",
}
TRIAL: dict[str, object] = {"mail_off": True, "smtp_host": "", "mail_from": "Mobula <no-reply@mobula.localhost>"}


def production(tmp_path: Path, values: dict[str, object]) -> Settings:
    key = tmp_path / "signing.pem"
    key.write_text("key")
    given = {
        "environment": "production",
        **dict.fromkeys(("secret_key", "encryption_key", "server_api_key"), STRONG),
        "database_url": "postgresql://u:p@h/db",
        "signing_key_file": key,
        **OUTWARD,
        **values,
    }
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "complaints"),
    [
        ({}, []),
        ({"smtp_host": ""}, ["SMTP_HOST is missing"]),
        ({"mail_from": "Mobula <no-reply@mobula.localhost>"}, ["MAIL_FROM is 'Mobula"]),
        ({"mail_from": ""}, ["MAIL_FROM is ''"]),
        ({"mail_from": "Mobula"}, ["MAIL_FROM is 'Mobula'"]),
        ({"public_url": "http://localhost:3000"}, ["links in mails would lead nowhere"]),
        ({"public_url": "https://127.0.0.1"}, ["links in mails would lead nowhere"]),
        ({"public_url": "http://localhost:3000", "smtp_host": ""}, []),
        ({"public_url": "http://shop.example"}, ["PUBLIC_URL must begin with https://"]),
        ({"public_url": "shop.example"}, ["PUBLIC_URL must begin with https://"]),
        ({"realtime_public_url": "ws://localhost:8000/x"}, ["REALTIME_PUBLIC_URL must begin with wss://"]),
        (TRIAL, []),
        (TRIAL | {"public_url": "http://localhost:3000", "realtime_public_url": "ws://localhost:8000/x"}, []),
        (TRIAL | {"public_url": "http://shop.example"}, ["PUBLIC_URL must begin with https://"]),
    ],
)
def test_production_starts_when_people_get_mail_with_links_that_lead_here(
    tmp_path: Path, values: dict[str, object], complaints: list[str]
) -> None:
    given = production(tmp_path, values)
    problems = outward_problems(given)
    assert len(problems) == len(complaints)
    assert all(complaint in problem for complaint, problem in zip(complaints, problems, strict=True))
    assert require_production_ready(given) is given, "commands are not asked"
    if complaints:
        with pytest.raises(ProductionRefused, match="refusing to start"):
            require_production_ready(given, outward=True)
