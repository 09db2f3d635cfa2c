"""The script that marks frames of a clip, with a server that answers when the test says so."""

from playwright.sync_api import Browser, expect

from inference_chat.ui.marks import ASSETS, SCRIPTS

from .conftest import faultless

SHOWN = '{ mode: "clip", shows: true, clip: "some", source: "data:,0", size: [40, 30], seconds: 2, fps: 10 }'


def test_of_two_frames_the_one_asked_for_last_is_shown(browser: Browser):
    script = "\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS)
    with faultless(browser) as page:
        page.set_content("<div class='ic-marks'></div>")
        page.evaluate(f"""() => {{
            const answers = window.answers = {{}};
            const still = ({{ at_s }}) => new Promise((answer) => {{
                answers[at_s] = () => answer({{ ok: {{ source: `data:,${{at_s}}`, at_s }} }});
            }});
            const [element, props, server] = [document.body, {{ picture: {SHOWN} }}, {{ still }}];
            {script}
            drawMarks();
        }}""")
        for moment in ("0.5", "1.5"):
            page.get_by_label("Moment of the clip that is shown").fill(moment)
            page.wait_for_function(f"{moment} in answers")
        for moment in ("1.5", "0.5"):
            page.evaluate(f"answers[{moment}]()")
        expect(page.locator(".ic-canvas img")).to_have_attribute("src", "data:,1.5")
