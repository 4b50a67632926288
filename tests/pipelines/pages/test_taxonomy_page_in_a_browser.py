"""The page of `taxonomy show --html` in Chromium: edits by hand, their file, and `taxonomy apply`."""

import pytest

from hierarchy import Group, Label, Taxonomy
from pipelines.pages.taxonomy import taxonomy_page

pytestmark = pytest.mark.slow

STRANGE = (
    "it's", 'say "q"', "<img src=x onerror=alert(1)>", "\u202ertl", "C#", "-5 °", "a\nb\r", "名字", "$(x)`y`\\!",
    "x" * 150,
)  # fmt: skip
TREE = Taxonomy(
    (
        Group("lamps", "Lamps", labels=tuple(Label(f"{n} lamp", f"{n} lamp") for n in ("red", "blue", "tall"))),
        Group("<b>", "<b>Strange</b> & co", labels=tuple(Label(name, f"strange {name}") for name in STRANGE)),
        Group("Chairs", "Chairs", labels=tuple(Label(f"{n} chair", f"{n} chair") for n in ("red", "blue", "tall"))),
    ),
    (Label("7", "no home"),),
    "shop\n# x",
)


@pytest.fixture(params=[1440, 390])
def page(browser, request, tmp_path, embed):
    """The page, drawn and open; whatever a script or the policy of contents complains of is a fault."""
    TREE.to_yaml(tmp_path / "tree.yaml")
    (tmp_path / "page.html").write_text(taxonomy_page(TREE, embed=embed), encoding="utf-8")
    context = browser.new_context(viewport={"width": request.param, "height": 844}, accept_downloads=True)
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("body[data-ready]")
    yield page
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= request.param
    context.close()


def group(page, place):
    return page.locator(".groups [data-group]").nth(place)


def move(page, label, to):
    """Choose a label in the open group, and move it as one does without a mouse."""
    page.locator("[data-members]:not([hidden]) li").nth(label).locator("label").click()
    page.select_option("#move", str(to))


def apply(cli, page, folder):
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(folder / "edits.txt")
    done = cli("taxonomy", "apply", folder / "tree.yaml", folder / "edits.txt")
    assert done.exit_code == 0, done.stderr
    return Taxonomy.from_yaml(folder / "tree.yaml")


def test_edits_reach_the_file(page, cli, tmp_path, caplog):
    group(page, 1).click()
    for _ in STRANGE[:-1]:
        move(page, 0, 0)
    page.fill("#rename input", 'it\'s "new" #1 $x `y` \\')
    page.keyboard.press("Enter")
    group(page, 3).click()
    move(page, 0, 1)
    assert page.text_content("#count") == "11 edits"
    new = apply(cli, page, tmp_path)
    assert new.homes == TREE.homes | dict.fromkeys(STRANGE[:-1], "lamps") | {"7": "<b>"}
    assert new.groups[1].name == 'it\'s "new" #1 $x `y` \\'
    assert "another tree" not in caplog.text


def test_a_label_is_dragged_and_undone(page, cli, tmp_path):
    group(page, 0).click()
    red, blue = (page.locator(f'li[data-label="{i}"]') for i in (0, 1))
    red.drag_to(group(page, 2))
    blue.drag_to(group(page, 2))
    assert [group(page, g).locator("small").first.text_content() for g in (0, 2)] == ["1", "5"]
    page.locator("#edits li", has_text="red lamp").get_by_text("Undo").click()
    assert page.locator('[data-members="0"] li').first.get_attribute("data-label") == "0"
    new = apply(cli, page, tmp_path)
    assert new.homes == TREE.homes | {"blue lamp": "Chairs"}


def test_a_group_that_all_leave_takes_what_comes(page, cli, tmp_path):
    group(page, 0).click()
    for _ in range(3):
        move(page, 0, 2)
    group(page, 2).click()
    move(page, 0, 0)
    assert page.input_value("#edits textarea").splitlines()[2].startswith('move "red chair" --to lamps')
    assert apply(cli, page, tmp_path).homes["red chair"] == "lamps"


def test_a_name_that_a_group_has_is_refused(page):
    group(page, 0).click()
    for name, said in (("chairs", "There is a group \u2068Chairs\u2069 already."), (" ", "A group needs a name.")):
        page.fill("#rename input", name)
        page.click("#rename button")
        assert page.text_content("#rename p") == said
    assert page.is_hidden("#edits")


def test_search_marks_and_the_zoom_names_its_group(page):
    page.fill("#search", "onerror")
    page.keyboard.press("Enter")
    assert page.text_content("#chosen").startswith("strange <img src=x onerror=alert(1)>")
    assert page.locator("li:has(:checked)").get_attribute("data-label") == "5"
    page.click("#zoom")
    assert page.text_content("#zoomed strong") == "<b>Strange</b> & co (<b>)"
    page.click("#zoomed button")
    assert page.is_hidden("#zoomed")
    treemap = page.locator(".bk-Figure").first
    treemap.click(position={"x": 20, "y": 8})  # the strip with a group's name
    page.wait_for_selector("#zoomed:not([hidden])")
    assert page.locator("[data-members]:not([hidden]) li").count() in {3, len(STRANGE)}


def test_paper_shows_every_label(page, tmp_path):
    page.emulate_media(media="print")
    assert page.locator("[data-members] li:visible").count() == len(TREE.all_labels)
    assert page.is_hidden("#search")
    page.pdf(path=tmp_path / "page.pdf")
