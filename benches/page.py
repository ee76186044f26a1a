"""Reads the results of `run`, and writes README.md here and its pictures. Every number in them is computed here from
those results.
"""

import math
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
RESULTS = Path(sys.argv[1])
OURS, CLI = "ten lines", "command line"
OUR_PROGRAMS = [OURS, CLI, "with ring", "static", "static with ring", "connection"]


def rows(name):
    return [line.split("\t") for line in (RESULTS / name).read_text().splitlines()]


# ---- whole processes ----

WALL, CPU, PEAK = range(3)


def cold(name):
    """{who: [(wall, cpu, peak) of each round]}, in milliseconds and megabytes, in the order of the table."""
    seen = defaultdict(dict)
    for round_, who, wall, user, system, peak in rows(name):
        seen[who][int(round_)] = (int(wall) / 1e3, (int(user) + int(system)) / 1e3, int(peak) * 1024 / 1e6)
    order = sorted(seen, key=lambda who: median(run[WALL] for run in seen[who].values()))
    return {who: [seen[who][round_] for round_ in sorted(seen[who])] for who in order}


def middle(runs, what):
    return median(run[what] for run in runs)


def ratio(runs, others, what):
    """The median of the pairs' ratios: a machine that is slow for a while is slow for both."""
    return median(one[what] / other[what] for one, other in zip(runs, others, strict=True))


def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, body, align=None):
    align = align or ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, align, *body])


def cold_table(seen):
    head = ["", "ms", "CPU ms", "peak MB", "ten lines takes", "command line takes", "of its peak"]
    body = []
    for who, runs in seen.items():
        times = [f"{ratio(seen[one], runs, WALL):.3f}" if one != who else "" for one in (OURS, CLI)]
        peak = f"{ratio(seen[OURS], runs, PEAK):.2f}" if who != OURS else ""
        body.append([NAMES[who], *(figure(middle(runs, what)) for what in (WALL, CPU, PEAK)), *times, peak])
    return table(head, body)


NAMES = {
    OURS: "**ten lines on this library**",
    CLI: "**its command line**",
    "with ring": "ten lines with `ring` in place of `rsa`",
    "static": "ten lines, static with musl",
    "static with ring": "ten lines with `ring`, static with musl",
    "connection": "its command line, by a connection of the configuration file",
    "the packages alone": "its packages without it",
    "google-auth": "Python, google-auth",
    "MSAL": "Python, MSAL, which reads metadata first",
    "jsonwebtoken, reqwest": "`jsonwebtoken`, blocking `reqwest`",
    "the same, rust_crypto": "the same with feature `rust_crypto`",
    "Go": "Go, `x/oauth2/jwt`",
    "openssl, curl": "`openssl` and `curl`",
    "Python": "Python, PyJWT and requests",
    "Node": "Node, `openid-client`",
}

# Of a cold run's instructions: the first row whose words are in a function's or its object's name.
LAYERS = [
    ("this crate", r"jwt_bearer"),
    ("RSA", r"num_bigint|num_integer|num_traits|\brsa::|smallvec|sha2|libm::|crypto_bigint|subtle|rand_core|\bdigest"),
    ("TLS", r"rustls|ring_core|\bring::|webpki|ecp_nistz|x25519|aes_|ghash|gcm|chacha|poly1305|sha256_block|sha512_block|\bfe_|\bge_|bn_|_mont|p256|p384|vpaes|nistz"),
    ("HTTP", r"ureq|\bhttp::|httparse|percent_encoding|utf8|\bbytes::"),
    ("reading the key", r"\bpem::|\bder::|pkcs1|pkcs8|base64|spki|const_oid"),
    ("the loader", r"ld-linux"),
    ("the C library", r"libc\.so|libgcc|libm\.so|libpthread"),
]


def layers(name):
    shares = defaultdict(int)
    for line in (RESULTS / name).read_text().splitlines():
        found = re.match(r"\s*([\d,]+) \([ \d.]+%\)\s+(\S.*:.*)", line)
        if found:
            layer = next((layer for layer, words in LAYERS if re.search(words, found[2])), "Rust's standard library")
            shares[layer] += int(found[1].replace(",", ""))
    return shares


def second_connection():
    """What TLS adds to the instructions of a second exchange, of what it adds to those of the first."""
    added = []
    for tokens in range(3):
        tls, plain = (sum(layers(f"instructions-{url}-{tokens}.txt").values()) for url in ("tls", "plain"))
        added.append(tls - plain)
    return (added[2] - added[1]) / (added[1] - added[0])


def idle_source():
    """Bytes of one source among many that have no token yet."""
    return next(int(most) / int(count) for name, count, _, most in reversed(rows("growth.tsv")) if name == "sources")


# The most that this crate could be blamed for.
MINE = ["this crate", "Rust's standard library", "reading the key"]

# ---- targets ----

def target(what, value, limit, unit="", why=""):
    """A row of the table of targets; `why` is printed if the target is missed."""
    result = "met" if value <= limit else "**missed**" + (f": {why}" if why else "")
    return [what, f"{value:.3g}{unit}", f"{limit:g}{unit}", result]


# ---- pictures ----

STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:15px}.s{fill:#666;font-size:12px}"
    ".o{fill:#b7410e}.p{fill:#9aa7b4}.l{fill:none;stroke-width:2}.a{stroke:#999;stroke-width:1}.g{stroke:#ddd}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.s{fill:#aaa}.p{fill:#5b6b7b}.o{fill:#e2703a}.g{stroke:#444}}"
)


def svg(name, width, height, title, parts):
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
    text += f"<title>{title}</title><style>{STYLE}</style>" + "".join(parts) + "</svg>\n"
    (HERE / name).write_text(text)


def bars(name, title, subtitle, items, unit):
    """Horizontal bars; an item is (label, value, whether it is ours)."""
    left, width, step, top = 250, 720, 26, 58
    most = max(value for _, value, _ in items)
    parts = [f'<text x="8" y="22" class="t">{title}</text><text x="8" y="41" class="s">{subtitle}</text>']
    for n, (label, value, ours) in enumerate(items):
        y = top + n * step
        long = max(value / most * (width - left - 90), 1)
        parts.append(
            f'<text x="{left - 10}" y="{y + 14}" text-anchor="end">{label}</text>'
            f'<rect x="{left}" y="{y}" width="{long:.1f}" height="19" rx="2" class="{"o" if ours else "p"}"/>'
            f'<text x="{left + long + 6:.1f}" y="{y + 14}">{figure(value)} {unit}</text>'
        )
    svg(name, width, top + len(items) * step + 10, title, parts)


COLOURS = ["#b7410e", "#2f6f9f", "#5b8c3a", "#8a5a9e", "#b8902a"]


def lines(name, title, panels):
    """Panels side by side, both axes logarithmic; a panel is (title, unit of x, unit of y, {label: points})."""
    wide, high, gap = 310, 220, 70
    parts = [f'<text x="8" y="22" class="t">{title}</text>']
    for n, (what, x_unit, y_unit, series) in enumerate(panels):
        left, top = 60 + n % 2 * (wide + gap), 62 + n // 2 * (high + gap)
        points = [point for line in series.values() for point in line]
        spans = []
        for axis in (0, 1):
            logs = [math.log10(point[axis]) for point in points]
            spans.append((math.floor(min(logs)), math.ceil(max(logs) + 1e-9)))
        def at(point):
            (x0, x1), (y0, y1) = spans
            return (
                left + (math.log10(point[0]) - x0) / (x1 - x0) * wide,
                top + high - (math.log10(point[1]) - y0) / (y1 - y0) * high,
            )
        parts.append(f'<text x="{left}" y="{top - 12}" style="font-weight:600">{what}</text>')
        for power in range(spans[0][0], spans[0][1] + 1):
            x, _ = at((10**power, 10 ** spans[1][0]))
            parts.append(f'<path d="M{x:.1f} {top}v{high}" class="g"/><text x="{x:.1f}" y="{top + high + 16}" class="s" text-anchor="middle">{tick(10**power)}</text>')
        for power in range(spans[1][0], spans[1][1] + 1):
            _, y = at((10 ** spans[0][0], 10**power))
            parts.append(f'<path d="M{left} {y:.1f}h{wide}" class="g"/><text x="{left - 6}" y="{y + 4:.1f}" class="s" text-anchor="end">{tick(10**power)}</text>')
        parts.append(f'<text x="{left + wide}" y="{top + high + 32}" class="s" text-anchor="end">{x_unit}</text>')
        parts.append(f'<text x="{left + wide}" y="{top - 12}" class="s" text-anchor="end">{y_unit}</text>')
        for m, (label, line) in enumerate(series.items()):
            path = " ".join("{:.1f},{:.1f}".format(*at(point)) for point in line)
            x, y = at(line[-1])
            parts.append(f'<polyline points="{path}" class="l" stroke="{COLOURS[m]}"/>')
            if len(series) > 1:
                parts.append(f'<text x="{left + 8}" y="{top + 16 + 16 * m}" style="fill:{COLOURS[m]}">{label}</text>')
    svg(name, 2 * wide + gap + 80, 62 + (len(panels) + 1) // 2 * (high + gap) - 20, title, parts)


def tick(value):
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


# ---- growth ----


def slope(points):
    """The exponent: least squares over logarithms. One is linear, none is constant."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(axis) / len(logs) for axis in zip(*logs))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


# ---- the page ----


def main():
    machine = dict(rows("machine.tsv"))
    http, tls = cold("cold-http.tsv"), cold("cold-tls.tsv")
    sizes = {who: (int(size) if size else None, int(packages)) for who, size, packages in rows("size.tsv")}
    builds = defaultdict(list)
    for _, who, milliseconds in rows("build.tsv"):
        builds[who].append((int(milliseconds) / 1e3,))
    shares = {"plain http": layers("instructions-http.txt"), "TLS": layers("instructions-tls-1.txt")}
    beside = defaultdict(list)
    for threads, ours, least, of in rows("beside.tsv"):
        beside[threads].append((float(ours), float(least), float(of)))

    pictures(http, tls, sizes)
    growth = grown()
    fleet = fleet_picture()

    plain = shares["plain http"]
    share = plain["this crate"] / sum(plain.values())
    signed = signing()
    overhead = signed[2048]["ours"][1]
    goals = [
        target(f"cold start, of {NAMES[who]}", ratio(http[OURS], http[who], WALL), limit, why=WHY_COLD.format(
            bare=ratio(http["the packages alone"], http[who], WALL), rsa=plain["RSA"] / sum(plain.values()) * 100))
        for who, limit in [
            ("Go", 0.85), ("jsonwebtoken, reqwest", 0.12), ("openssl, curl", 0.10), ("Python", 0.02), ("Node", 0.015),
        ]
    ]
    goals.append(target("peak memory, of Go", ratio(http[OURS], http["Go"], PEAK), 0.65))
    goals.append(target("size when stripped", sizes[OURS][0] / 1e6, 3.1, " MB", why=WHY_SIZE.format(
        bare=sizes["the packages alone"][0] / 1e6, own=(sizes[OURS][0] - sizes["the packages alone"][0]) / 1e6)))
    ring = http["with ring"]
    goals += [
        target(f"with `ring`: cold start, of {NAMES[who]}", ratio(ring, http[who], WALL), limit)
        for who, limit in [("Go", 0.60), ("openssl, curl", 0.10), ("Node", 0.012)]
    ]
    goals.append(target("with `ring`, static: cold start, of the default", ratio(http["static with ring"], http[OURS], WALL), 0.5))
    goals.append(target("its command line: cold start, of Go", ratio(http[CLI], http["Go"], WALL), 1))
    goals.append(target("the same by a connection", ratio(http["connection"], http["Go"], WALL), 1))
    goals.append(target("instructions that TLS adds to a second connection, of the first", second_connection(), 0.35, why=WHY_SECOND))
    built = ratio(builds[OURS], builds["jsonwebtoken, reqwest"], WALL)
    goals.append(target("clean build, of `jsonwebtoken` with `reqwest`", built, 0.45, why=WHY_BUILD.format(
        bare=ratio(builds["the packages alone"], builds["jsonwebtoken, reqwest"], WALL), pairs=len(builds[OURS]))))
    with_ring = ratio(builds["with ring"], builds["jsonwebtoken, reqwest"], WALL)
    goals.append(target("with `ring`: clean build, of the same", with_ring, 0.40))
    goals.append(target("our own code in a cold run's instructions", share * 100, 5, " %"))
    for threads, limit in (("1", 1.3), ("2", 1.3)):
        several = "s" if threads != "1" else ""
        value = median(of for _, _, of in beside[threads])
        goals.append(target(f"a fresh token on {threads} thread{several}, of its yardstick", value, limit))
    goals.append(target("our overhead over raw `rsa`", overhead * 100, 1, " %"))
    worst = max(growth.values(), key=lambda one: one[0])
    goals.append(target("memory of an idle source", idle_source() / 1e3, 1.6, " kB"))
    goals.append(target(f"steepest growth, as an exponent ({worst[2]})", worst[0], 1.2))

    page = PAGE.format(
        machine="\n".join(f"| {what} | {value} |" for what, value in machine.items() if what != "date"),
        date=machine["date"],
        rounds=len(http[OURS]),
        load=(RESULTS / "load").read_text().strip(),
        targets=table(["", "measured", "at most", ""], goals, ["---", "---:", "---:", "---"]),
        http=cold_table(http),
        tls=cold_table(tls),
        builds=f"{len(builds[OURS])} round{'s' * (len(builds[OURS]) > 1)}",
        cost=cost_table(sizes, builds),
        layers=layer_table(shares),
        most=f"{sum(plain[layer] for layer in MINE) / sum(plain.values()):.1%}",
        beside=table(
            ["threads", "a fresh token, ns", "its yardstick, ns", "ratio"],
            [[threads, *(figure(median(column)) for column in zip(*runs))] for threads, runs in beside.items()],
        ),
        counts=table(["", "instructions"], [[name.replace("_", " "), f"{int(count):,}"] for name, count in counts()]),
        time=(RESULTS / "time.txt").read_text().strip(),
        signing=signing_table(signed),
        algorithms=algorithms_table(),
        growth=table(
            ["more", "from", "to", "time, exponent", "memory, exponent", "time at the end", "memory at the end"],
            [[what, low, high, f"{time:.2f}", memory, ended, most] for time, memory, what, low, high, ended, most in growth.values()],
        ),
        small=small_table(),
        floor=floor_text(),
        fleet=fleet,
        short=short(http, signed, machine["date"]),
    )
    (HERE / "README.md").write_text(page)


def algorithms_table():
    times = {}
    for kind, algorithm, nanoseconds in rows("algorithms.tsv"):
        times.setdefault((algorithm, kind), []).append(int(nanoseconds))
    usual = median(times["RS256", "RsaKey"])
    body = [
        [algorithm, f"`{kind}`", figure(median(all_of) / 1000), f"{median(all_of) / usual:.3f}"]
        for (algorithm, kind), all_of in sorted(times.items())
    ]
    return table(["", "key", "us", "of RS256 by `RsaKey`"], body, ["---", "---", "---:", "---:"])


def counts():
    lines = (HERE / "counts.txt").read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def pictures(http, tls, sizes):
    plain = [(name_of(who), middle(runs, WALL), who in OUR_PROGRAMS) for who, runs in http.items()]
    bars("cold-start.svg", "From process start to token", "milliseconds, plain http on loopback, median; RS256 with 2048 bits", plain, "ms")
    peak = sorted(((name_of(who), middle(runs, PEAK), who in OUR_PROGRAMS) for who, runs in tls.items()), key=lambda row: row[1])
    bars("memory.svg", "Peak memory", "megabytes, over TLS, median", peak, "MB")
    size = [(name_of(who), of[0] / 1e6, who in OUR_PROGRAMS) for who, of in sizes.items() if of[0]]
    bars("size.svg", "Size of the program", "megabytes, stripped, TLS included; Python and Node have no program of their own", sorted(size, key=lambda row: row[1]), "MB")


def name_of(who):
    return {OURS: "ten lines on this library", CLI: "its command line", "the packages alone": "its packages without it",
            "with ring": "ten lines with ring", "static": "ten lines, static", "static with ring": "ten lines with ring, static",
            "connection": "its command line, by a connection", "google-auth": "google-auth",
            "the same, rust_crypto": "jsonwebtoken (rust_crypto), reqwest"}.get(who, who)


def cost_table(sizes, builds):
    body = []
    for who, (size, packages) in sizes.items():
        built = f"{middle(builds[who], WALL):.0f}" if who in builds else ""
        body.append([NAMES[who], f"{size:,}" if size else "", packages, built])
    return table(["", "bytes, stripped", "packages", "clean release build, s"], body)


def layer_table(shares):
    names = sorted({layer for one in shares.values() for layer in one}, key=lambda layer: -shares["plain http"][layer])
    body = []
    for layer in names:
        body.append([layer, *(f"{one[layer] / sum(one.values()):.2%}" for one in shares.values())])
    totals = [f"{sum(one.values()) / 1e6:.1f} million" for one in shares.values()]
    return table(["", *shares], [*body, ["instructions", *totals]])


def signing():
    """{bits: {name: (warm ms, overhead over raw blinded rsa, first ms, reading the key ms)}}"""
    signed = {}
    for bits in (2048, 4096):
        warm = defaultdict(list)
        for name, nanoseconds in rows(f"warm-{bits}.tsv"):
            warm[name].append(int(nanoseconds) / 1e6)
        first = defaultdict(list)
        for name, loaded, ms in rows(f"first-{bits}.tsv"):
            first[name].append((int(ms) / 1e6, int(loaded) / 1e6))
        raw = warm["rsa, blinded"]
        signed[bits] = {
            name: (median(times), median(a / b for a, b in zip(times, raw, strict=True)) - 1,
                   median(ms for ms, _ in first[name]), median(loaded for _, loaded in first[name]))
            for name, times in warm.items()
        }
    return signed


def signing_table(signed):
    body = []
    for name in signed[2048]:
        cells = [f"{signed[bits][name][n]:.2f}" for bits in (2048, 4096) for n in (0, 2, 3)]
        shown = {"ours": "**this crate**", "ring": "`RingRsaKey`, this crate with `ring`"}.get(name, f"`{name}`")
        body.append([shown, *cells])
    head = ["ms", "2048: warm", "first in the process", "reading the key", "4096: warm", "first", "reading the key"]
    return table(head, body)


# What another process or another thread takes is not counted.
NO_MEMORY = ["threads", "many-threads", "connections", "store"]


def grown():
    series = defaultdict(list)
    for name, count, nanoseconds, most in rows("growth.tsv"):
        series[name].append((int(count), int(nanoseconds), int(most)))
    what = {
        "sources": "sources made", "threads": "threads, 20,000 calls each", "many-threads": "threads, 100 calls each",
        "connections": "connections in a file, one of them read by the command line",
        "store": "tokens in a file store, one of them read", "body": "response: bytes of one token",
        "members": "response: bytes of many members", "claims": "claims of an assertion",
    }
    table_of, panels = {}, []
    for name, points in series.items():
        time = [(x, t / 1e3) for x, t, _ in points]
        memory = [(x, m) for x, _, m in points if m]
        constant = len(memory) < len(points) or name in NO_MEMORY
        table_of[name] = (
            slope(time), "" if constant else f"{slope(memory):.2f}", what[name], f"{points[0][0]:,}", f"{points[-1][0]:,}",
            f"{figure(points[-1][1] / 1e6)} ms", "" if constant else f"{points[-1][2]:,} bytes",
        )
        lines_of = {"time": time}
        panels.append((what[name], "", "microseconds", lines_of))
    memories = {what[name]: [(x, m) for x, _, m in points] for name, points in series.items() if name not in NO_MEMORY}
    panels.append(("memory in use at once", "", "bytes", memories))
    lines("growth.svg", "Growth: both axes logarithmic, a straight line at 45 degrees is linear", panels)
    return table_of


def small_rows():
    seen = defaultdict(dict)
    for profile, library, name, size, packages in rows("small.tsv"):
        seen[name][profile, library] = (int(size), int(packages))
    return seen


SMALL = {
    "empty": "a program that prints one line", "own-transport": "this crate without ureq, over a caller's transport",
    "bare": "its packages without it, TLS included", "ten-lines": "ten lines on this crate, TLS included",
}


def small_table():
    body = []
    for name, cells in small_rows().items():
        sizes = [f"{cells[profile, library][0]:,}" for library in ("glibc", "musl") for profile in ("release", "small")]
        body.append([SMALL[name], next(iter(cells.values()))[1], *sizes])
    return table(["bytes, stripped", "packages", "glibc, `release`", "glibc, `small`", "musl, static, `release`", "musl, static, `small`"], body)


def floor_text():
    seen = {name: cells["small", "glibc"][0] / 1e3 for name, cells in small_rows().items()}
    return (
        f"Of the {seen['ten-lines']:,.0f} kB of the smallest program with TLS, {seen['empty']:,.0f} are the standard library's start, "
        f"{seen['own-transport'] - seen['empty']:,.0f} this crate with RSA, JSON and PEM, and "
        f"{seen['ten-lines'] - seen['own-transport']:,.0f} ureq, rustls, ring and Mozilla's roots."
    )


def fleet_picture():
    seen = {}
    for line in (RESULTS / "fleet.txt").read_text().splitlines():
        name, values = line.split(":", 1)
        seen[name] = {key: float(value) for key, value in re.findall(r"(\w+): ([\d.]+)", values)}
    items = []
    for key, what in (("peak", "busiest second"), ("peak_after", "after the outage"), ("mean", "mean")):
        for name, values in seen.items():
            items.append((f"{what}, {name}", values[key], name.startswith("with ")))
    bars("fleet.svg", "2,000 sources started together: requests a second", "simulated time: two hours, ten minutes of them an outage", items, "")
    head = ["", "busiest second", "after the outage", "mean a second", "calls with an error"]
    return table(head, [[name, *(f"{values[key]:,.0f}" for key in ("peak", "peak_after", "mean", "errors"))] for name, values in seen.items()])


def short(http, signed, date):
    """The cold start as a picture, and below it what the picture does not show."""
    times = "; ".join(f"{name_of(who)} {figure(middle(runs, WALL))}" for who, runs in http.items())

    def ratio_of(name):
        """By the pairs: both were measured beside raw `rsa`."""
        return (1 + signed[2048][name][1]) / (1 + signed[2048]["ours"][1])

    slow = signed[2048]["aws-lc-rs"][2]
    faster = [
        f"`{name}` in {ratio_of(name):.2f} of the time"
        for name in ("ring", "aws-lc-rs", "openssl") if ratio_of(name) < 1
    ]
    text = (
        f"![From process start to token, in milliseconds: {times}](cold-start.svg)\n\n"
        f"Whole processes on loopback, key file to printed token, medians of {len(http[OURS])} rounds in turn ({date}). "
        f"Where others are faster: a warm RSA signature takes {signed[2048]['ours'][0]:.1f} ms here; "
        f"{', '.join(faster[:-1])} and {faster[-1]}. "
        f"(In a new process the first one of `aws-lc-rs` takes {slow:.0f} ms.) For thousands of signatures a second there is "
        "`RingRsaKey`."
    )
    return wrapped(text)


def wrapped(text, width=110):
    done = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" ") if not paragraph.startswith("![") else [paragraph]:
            if line and len(line) + 1 + len(word) > width:
                done.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        done.append(line)
    return "\n".join(done)


WHY_COLD = (
    "the same job on the same packages without this crate takes {bare:.3f}, and {rsa:.0f} % of our instructions are "
    "one signature by `rsa`"
)
WHY_SECOND = (
    "the session is resumed, but still negotiates its own key; the first connection of this measurement has one "
    "root certificate to parse, and not Mozilla's"
)
WHY_BUILD = (
    "the same packages without this crate take {bare:.2f}, about half of it TLS and HTTP; pairs measured: {pairs}"
)
WHY_SIZE = (
    "the same job on the same packages without this crate has {bare:.2f} MB; {own:.2f} MB are this crate, with what it "
    "calls of the standard library and the JSON it writes"
)

PAGE = """# Measured

Written by `bash benches/run` on {date}. Every number below comes from that run; none is edited.

## In short

{short}

## Machine and method

| | |
|---|---|
{machine}

Whole processes run in turn: {rounds} rounds of one run each, after a round that is not counted, in a random order in
each round. A ratio is the median of the ratios of the rounds, so that a machine that is slow for a while is slow for
both. The system reports time, processor time and peak memory of each finished process. The server is the same for all:
it checks every signature and returns one fixed response. Over TLS every client verifies the server's certificate
against a private root. The system's load was {load} at the start; above 0 other programs ran at the same time, and the
times contain waiting for a processor.

## Targets

{targets}

## From process start to token

Key file in, RS256 assertion with 2048 bits, one POST, token printed. The programs in Go
and with `jsonwebtoken` and `reqwest` are what one would write with them; `openssl` and `curl` are a shell script. Over
plain http:

{http}

Over TLS, with a private root. The command line adds it to Mozilla's roots, so it has to parse these too:

{tls}

![peak memory](memory.svg)

The instructions of the ten lines by layer, as callgrind counts them. Code of other crates that is generic over our
types counts as ours, and small functions that the compiler inlined count where they were inlined. If all of the
standard library and of reading the key counted as ours, it would be {most} over plain http.

{layers}

## Size and build

![size](size.svg)

Clean builds ran in turn too, {builds}. Go's standard library is already compiled.

{cost}

## Inside the process

A fresh token compared with its yardstick, the least that it can cost: a read of an `RwLock`, a clone of an `Arc`, and
a reading of both clocks.

{beside}

Instructions of one call; `.ci/run` fails if one changes by more than 3 % (`benches/counts.txt`):

{counts}

An assertion allocates at most five times, a fresh token never (`benches/inside/tests/allocations.rs`). Time of single
calls, as `cargo bench --bench time` prints them:

```text
{time}
```

## Signing

{signing}

This crate signs with `rsa`, blinded: pure Rust, as fast at the first signature as at any other, and slower than
`ring`, `aws-lc-rs` and OpenSSL once they are warm. A token needs one signature every few minutes, for which this does
not matter. For thousands of signatures a second there is `RingRsaKey`, with the feature `ring`, which adds no
package.

Every algorithm, warm, a message of 300 bytes, RSA keys of 2048 bits:

{algorithms}

## Growth

![growth](growth.svg)

An exponent of 1 is linear, 0 is constant, 2 is quadratic. Up to 1.2 counts as linear here: data that no longer fits a
processor's cache, and threads that wait for two cores, add a tenth.

{growth}

## Small

Profile `small` is `opt-level = "z"`, one codegen unit, link-time optimisation and `panic = "abort"`.

{small}

{floor}

## A fleet

![fleet](fleet.svg)

{fleet}
"""

if __name__ == "__main__":
    main()
