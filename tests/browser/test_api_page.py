"""A person tries the API on its page, which loads nothing from elsewhere."""

from __future__ import annotations

from playwright.sync_api import expect

from .conftest import Shot, SignIn


def test_a_call_is_tried_by_whoever_is_signed_in(sign_in: SignIn, shot: Shot) -> None:
    page = sign_in("vera").page
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto("/trueup/api/docs")
    page.locator("#operations-migrations-get_switch .opblock-summary-control").click()
    operation = page.locator("#operations-migrations-get_switch")
    operation.get_by_placeholder("migration_id").fill("checkins")
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer).to_contain_text("checkins.use_pre_created")
    expect(answer).to_contain_text("private,no-cache")
    shot(page, "api")
    assert refused == []  # the browser loads and runs what the policy allows, and nothing wants more
    assert {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))} == {page.url.split("/")[2]}
