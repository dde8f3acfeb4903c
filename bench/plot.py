# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws cost against the number of threads, as an SVG: both axes logarithmic, so that what is
linear is a straight line, and what is twice as fast is as far below everywhere.
"""
import math

WIDTH, HEIGHT = 680, 360
LEFT, RIGHT, TOP, BOTTOM = 72, 190, 16, 44
CURVES = (("loop", "C loop over the files", "#b3261e"),
          ("shot", "pwhy --all --raw --threads", "#1f5fa8"),
          ("again", "a later sample", "#2e7d32"))


def svg(rows):
    xs = [run["threads"] for run in rows]
    ys = [run[name] / 1e6 for run in rows for name, _, _ in CURVES]
    x_low, x_high = math.log10(min(xs)), math.log10(max(xs))
    y_low, y_high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def x(n):
        return LEFT + (math.log10(n) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y(ms):
        return TOP + (y_high - math.log10(ms)) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             "<!-- SPDX-License-Identifier: GPL-2.0-or-later; drawn by bench/capture -->",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for power in range(y_low, y_high + 1):
        at = y(10 ** power)
        parts.append(f'<path d="M{LEFT} {at:.0f}H{right}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 8}" y="{at + 4:.0f}" text-anchor="end">'
                     f"{10.0 ** power:g} ms</text>")
    for n in (100, 300, 1000, 3000, 10000, 30000):
        if x_low <= math.log10(n) <= x_high + 0.01:
            parts.append(f'<path d="M{x(n):.0f} {TOP}V{bottom}" stroke="#eee"/>'
                         f'<text x="{x(n):.0f}" y="{bottom + 18}" text-anchor="middle">{n:,}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
                 "threads</text>")
    for name, title, colour in CURVES:
        points = [(x(run["threads"]), y(run[name] / 1e6)) for run in rows]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        parts.append(f'<text x="{right + 8}" y="{points[-1][1] + 4:.0f}" fill="{colour}">'
                     f"{title}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"
