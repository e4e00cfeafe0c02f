#!/usr/bin/env python3
"""Looks at a page of `harness report` in a headless Chromium, as its readers do.

    scripts/report_test.py PAGE [--shots DIR]

It opens PAGE from its file, light and dark, wide and as wide as a phone, sorts, filters, follows links, draws curves,
and fails where one of these does not do what it should, where the browser has an error to tell, where the page asks
for anything that is not in it, or where it is wider than the window. --shots keeps a picture of each view.

It needs Python 3.10 and Chromium, found by its names or named by CHROMIUM, and nothing else: it talks to the browser
through a pipe. Exit codes: 0 all is well, 1 something is not, 3 there is no browser.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]


class Browser:
    """One tab of a Chromium, through the DevTools protocol."""

    def __init__(self, program: str, profile: str):
        from_us, to_browser = os.pipe()
        from_browser, to_us = os.pipe()
        # The browser reads its file 3 and writes its file 4.
        plumb = f"exec 3<&{from_us} 4>&{to_us}; exec \"$0\" \"$@\""
        flags = ["--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--hide-scrollbars"]
        # Root has no sandbox; the page is our own.
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        command = ["bash", "-c", plumb, program, *flags, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=[from_us, to_us], stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self.write, self.read = to_browser, from_browser
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        tab = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.ask(f"{domain}.enable")

    def message(self) -> dict:
        while b"\0" not in self.buffer:
            more = os.read(self.read, 1 << 20)
            if not more:
                raise RuntimeError("the browser ended")
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method: str, **params) -> dict:
        self.number += 1
        call = {"id": self.number, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.write, json.dumps(call).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def run(self, script: str):
        """What `script` gives, a promise's outcome where it gives one."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def open(self, url: str, width: int, height: int, dark: bool):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme, still])
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=url)
        # Its script ends with the entry of the contents that is shown.
        for _ in range(600):
            if self.run("document.readyState === 'complete' && Boolean(document.querySelector('[aria-current]'))"):
                return self.settle()
            time.sleep(0.1)
        raise RuntimeError("the page did not load within a minute")

    def settle(self):
        """Waits for what the page does next."""
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))")

    def shot(self, path: Path):
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        try:
            self.session = None
            self.ask("Browser.close")
        except (RuntimeError, OSError):
            pass
        self.process.wait(timeout=20)


COLUMN = """
((table, column) => [...table.tBodies[0].rows].filter((row) => !row.hidden)
  .map((row) => row.cells[column].textContent.trim()))
"""


class Test:
    def __init__(self, browser: Browser, page: Path, shots):
        self.browser, self.page, self.shots, self.faults = browser, page, shots, []

    def holds(self, what: str, is_so: bool, found=""):
        if not is_so:
            self.faults.append(f"{what}{f': {found}' if found != '' else ''}")

    def go(self, anchor: str):
        self.browser.run(f"location.hash = {json.dumps(anchor)}")
        self.browser.settle()

    def seen(self) -> str:
        return self.browser.run("[...document.querySelectorAll('.view:not([hidden])')].map((v) => v.id).join()")

    def sorting(self):
        """A click on the head of a column of numbers sorts by them, another one the other way round."""
        self.go("#cells")
        run = self.browser.run
        table = "document.getElementById('cell-table')"
        for column, least in [(3, "ascending"), (3, "descending"), (0, "ascending")]:
            run(f"{table}.tHead.rows[0].cells[{column}].querySelector('button').click()")
            cells = run(f"{COLUMN}({table}, {column})")
            state = run(f"{table}.tHead.rows[0].cells[{column}].getAttribute('aria-sort')")
            self.holds(f"aria-sort of column {column}", state == least, state)
            if column == 3:
                numbers = [float(cell.split()[0]) for cell in cells if cell and cell != "—"]
                self.holds("runs in order", numbers == sorted(numbers, reverse=least == "descending"), numbers[:5])
                said = [cell != "—" for cell in cells]
                self.holds("cells without a run at the end", said == sorted(said, reverse=True))
        others = run(f"{table}.querySelectorAll('[aria-sort]').length")
        self.holds("one column sorted at a time", others == 1, others)

    def filtering(self):
        """Each choice leaves the rows that fit it, and the count says how many."""
        self.go("#cells")
        run = self.browser.run
        rows = "[...document.querySelectorAll('#cell-table tbody tr')]"
        form = "document.querySelector('form[data-for=cell-table]')"
        change = "dispatchEvent(new Event('input', { bubbles: true }))"
        everything = run(f"{rows}.length")
        bare = run(f"{rows}.filter((row) => 'empty' in row.dataset && !row.hidden).length")
        self.holds("cells without a run are hidden at first", bare == 0, bare)
        for name in ["experiment", "dataset", "rule", "profile", "device"]:
            for value in run(f"[...{form}.elements.{name}.options].slice(1).map((option) => option.value)")[:4]:
                run(f"{form}.elements.{name}.value = {json.dumps(value)}; {form}.elements.empty.checked = true; "
                    f"{form}.elements.{name}.{change}")
                shown = run(f"{rows}.filter((row) => !row.hidden).map((row) => row.dataset.{name})")
                self.holds(f"{name} = {value}", shown and set(shown) == {value}, set(shown))
                told = run(f"{form}.querySelector('output').textContent")
                self.holds("the count", told == f"{len(shown)} of {everything} cells", told)
                run(f"{form}.elements.{name}.value = ''")
        run(f"{form}.elements.words.value = 'no such words'; {form}.elements.words.{change}")
        self.holds("words that no row has", run(f"{rows}.every((row) => row.hidden)"))
        run(f"{form}.querySelector('[type=reset]').click()")
        self.browser.settle()
        self.holds("after a reset", run(f"{rows}.some((row) => !row.hidden)"))

    def views(self):
        """Every entry of the contents shows its view alone, with its figures drawn, and no link leads nowhere."""
        run = self.browser.run
        for anchor in run("[...document.querySelectorAll('#contents a')].map((link) => link.hash)"):
            self.go(anchor)
            self.holds(f"the view of {anchor}", self.seen() == anchor[1:], self.seen())
            flat = run("[...document.querySelectorAll('.view:not([hidden]) svg.figure')]"
                       ".filter((svg) => svg.getBoundingClientRect().height < 50).length")
            self.holds(f"{anchor}: figures without height", flat == 0, flat)
            self.fits(anchor)
            self.picture(anchor[1:])
        dead = run("[...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.hash)"
                   ".filter((hash) => !document.getElementById(decodeURIComponent(hash.slice(1))))")
        self.holds("links that lead nowhere", not dead, dead[:5])
        twice = run("(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
                    " return ids.filter((id, index) => ids.indexOf(id) < index); })()")
        self.holds("names given twice", not twice, twice[:5])
        nameless = run("[...document.querySelectorAll('button, select, input, [role=img], [role=region]')]"
                       ".filter((e) =>"
                       " !(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')"
                       " || e.closest('label'))).length")
        self.holds("controls without a name", nameless == 0, nameless)

    def curves(self):
        """The explorer draws a line a rule, takes one away, and says values where its cursor is."""
        run = self.browser.run
        if not run("Boolean(document.getElementById('curves'))"):
            return
        self.go("#curves")
        field = "document.getElementById('explorer-form').elements"
        lines = "document.querySelectorAll('#explorer .mean').length"
        for page in range(run(f"{field}.page.options.length")):
            run(f"{field}.page.value = '{page}'; {field}.page.dispatchEvent(new Event('change'))")
            for x in ["epoch", "seconds"]:
                for y in ["accuracy", "error", "loss"]:
                    run(f"{field}.x.value = '{x}'; {field}.y.value = '{y}'; "
                        f"{field}.x.dispatchEvent(new Event('change'))")
                    rows = run("document.querySelectorAll('#explorer tbody tr').length")
                    self.holds(f"curves {page}, {x}, {y}: lines", rows > 0 and run(lines) == rows, run(lines))
                    wrong = run("/NaN|Infinity|undefined/.test(document.querySelector('#explorer svg').innerHTML)")
                    self.holds(f"curves {page}, {x}, {y}: numbers", not wrong)
        run(f"{field}.page.value = '0'; {field}.page.dispatchEvent(new Event('change')); {field}.x.value = 'epoch'; "
            f"{field}.y.value = 'accuracy'; {field}.x.dispatchEvent(new Event('change'))")
        before = run(lines)
        run("document.querySelector('#explorer tbody input').click()")
        self.holds("a line taken away", run(lines) == before - 1, run(lines))
        run("document.querySelector('#explorer tbody input').click()")
        box = run("(() => { const box = document.querySelector('#explorer svg').getBoundingClientRect();"
                  " return [box.left + box.width / 2, box.top + box.height / 2]; })()")
        self.browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
        told = run("document.querySelector('#explorer tbody td').textContent")
        self.holds("a value at the cursor", told.replace(".", "").isdigit(), told)
        run(f"{field}.single.click()")
        self.holds("single runs", run("document.querySelectorAll('#explorer .single').length") >= before)
        self.picture("curves-single")

    def fits(self, anchor: str):
        wide = self.browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        self.holds(f"{anchor}: wider than the window", wide <= 0, f"{wide} pixels")

    def menu(self):
        """On a phone the contents open by their button and close by a choice."""
        run = self.browser.run
        visible = "getComputedStyle(document.getElementById('contents')).display !== 'none'"
        self.go("#cells")
        self.holds("contents closed at first", not run(visible))
        run("document.getElementById('menu').click()")
        self.holds("contents open", run(visible))
        self.picture("contents")
        self.go("#provenance")
        self.holds("contents closed by a choice", not run(visible))

    def picture(self, name: str):
        if self.shots:
            self.browser.shot(self.shots / f"{self.name}-{name}.png")

    def all(self):
        for self.name, width, height, dark in [
            ("light", 1400, 900, False), ("dark", 1400, 900, True), ("phone", 390, 844, False)
        ]:
            before = len(self.faults)
            self.browser.events.clear()
            try:
                self.browser.open(self.page.as_uri(), width, height, dark)
            except RuntimeError as error:
                self.holds("opening", False, error)
            steps = [self.sorting, self.filtering, self.views, self.curves]
            for step in steps + ([self.menu] if width < 600 else []):
                try:
                    step()
                except RuntimeError as error:
                    self.holds(step.__name__, False, error)
            self.quiet()
            self.faults[before:] = [f"{self.name}: {fault}" for fault in self.faults[before:]]
        return self.faults

    def quiet(self):
        """The browser had nothing to tell and asked for nothing but the page."""
        own = {self.page.as_uri(), "about:blank"}
        for event in self.browser.events:
            params = event.get("params", {})
            match event.get("method"):
                case "Network.requestWillBeSent":
                    url = params["request"]["url"].split("#")[0]
                    self.holds("a request", url in own or url.startswith("data:"), url)
                case "Runtime.exceptionThrown":
                    self.holds("an exception", False, params["exceptionDetails"]["text"])
                case "Runtime.consoleAPICalled":
                    self.holds("the console", False, params["args"])
                case "Log.entryAdded":
                    self.holds("the log", False, params["entry"]["text"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--shots", type=Path)
    options = parser.parse_args()
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        print("no Chromium: apt-get install chromium, or name one by CHROMIUM", file=sys.stderr)
        return 3
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            faults = Test(browser, options.page.resolve(strict=True), options.shots).all()
        finally:
            browser.close()
    print("\n".join(faults) or "the page sorts, filters, draws and asks for nothing, in light, dark and on a phone",
          file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
