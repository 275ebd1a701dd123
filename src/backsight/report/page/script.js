// Answers the mouse, a finger and the keys. Every figure is drawn without it.
"use strict";
(() => {
  const NS = "http://www.w3.org/2000/svg", BOX = 1000, TICKS = 6;

  const toggle = document.querySelector(".toggle");
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue("color-scheme") === "dark" ||
      (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });

  // What is folded away on the screen is printed.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

  const element = (kind, words) => Object.assign(document.createElement(kind), { textContent: words ?? "" });
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function nearest(places, at) {
    let low = 0, high = places.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (places[middle] < at) low = middle; else high = middle;
    }
    return at - places[low] < places[high] - at ? low : high;
  }

  for (const figure of document.querySelectorAll(".chart")) {
    const source = figure.querySelector(".told");
    if (!source) continue;
    const told = JSON.parse(source.textContent), plot = figure.querySelector(".plot");
    const curves = plot.querySelector(".curves"), cursor = plot.querySelector(".cursor"), tip = plot.querySelector(".tip");
    const hidden = new Set();
    let from = 0, wide = 1, shown = -1;  // the stretch of x that is looked at

    function leave() {
      tip.hidden = true; shown = -1;
      cursor.setAttribute("visibility", "hidden");
    }

    function show(place) {
      const share = (told.x[place] - from) / wide;
      if (share < -0.001 || share > 1.001) return leave();
      shown = place;
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, `${100 * share}%`);
      cursor.setAttribute("visibility", "visible");
      const lines = told.s.filter((s) => !hidden.has(s.k) && s.v[place] !== null).map((s) => {
        const line = element("div"), dot = element("i");
        dot.className = s.c;
        line.append(dot, element("span", s.n), element("strong", String(s.v[place])));
        return line;
      });
      tip.replaceChildren(element("b", told.l ? `${told.l} ${told.t[place]}` : told.t[place]), ...lines);
      tip.hidden = lines.length === 0;
      const room = plot.clientWidth, left = share * room;
      tip.style.left = `${clamp(left < room / 2 ? left + 12 : left - 12 - tip.offsetWidth, -44, Math.max(room - tip.offsetWidth, -44))}px`;
    }

    const shareOf = (event) => {
      const box = plot.getBoundingClientRect();
      return clamp((event.clientX - box.left) / box.width, 0, 1);
    };
    const point = (event) => show(nearest(told.x, from + wide * shareOf(event)));
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("blur", leave);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") leave();
      if (!step) return;
      event.preventDefault();
      show(clamp(shown < 0 ? nearest(told.x, from + wide / 2) : shown + step, 0, told.x.length - 1));
    });

    for (const button of figure.querySelectorAll(".legend button")) {
      const key = Number(button.dataset.s), line = curves.querySelector(`[data-s="${key}"]`);
      if (button.getAttribute("aria-pressed") === "false") hidden.add(key);
      button.addEventListener("click", () => {
        const on = hidden.delete(key);
        if (!on) hidden.add(key);
        button.setAttribute("aria-pressed", String(on));
        line.classList.toggle("off", !on);
      });
    }
    if (plot.dataset.zoom === undefined) continue;

    const ticks = plot.querySelector(".ticks"), whole = [...ticks.querySelectorAll(".x")];

    function label() {
      ticks.querySelectorAll(".x").forEach((tick) => tick.remove());
      if (wide === 1) return ticks.append(...whole);
      const few = plot.clientWidth < 480 ? 3 : TICKS, seen = new Set();
      for (let k = 0; k < few; k++) {
        const place = nearest(told.x, from + wide * (k + 0.5) / few), share = (told.x[place] - from) / wide;
        if (seen.has(place) || share < 0 || share > 1) continue;
        seen.add(place);
        const tick = document.createElementNS(NS, "text");
        tick.setAttribute("x", `${100 * share}%`);
        tick.setAttribute("y", "100%");
        tick.setAttribute("class", "x");
        tick.textContent = told.t[place];
        ticks.append(tick);
      }
    }

    function look(low, width) {
      const least = Math.min(1, 8 / told.x.length);
      wide = clamp(width, least, 1);
      from = clamp(low, 0, 1 - wide);
      curves.setAttribute("viewBox", `${from * BOX} 0 ${wide * BOX} ${BOX}`);
      plot.dataset.from = from.toFixed(4);
      plot.dataset.wide = wide.toFixed(4);
      label();
      leave();
    }

    const bar = element("div");
    bar.className = "zoom";
    const steps = [
      ["closer", () => look(from + wide / 4, wide / 2)],
      ["wider", () => look(from - wide / 2, wide * 2)],
      ["← earlier", () => look(from - wide / 2, wide)],
      ["later →", () => look(from + wide / 2, wide)],
      ["all", () => look(0, 1)],
    ];
    for (const [words, act] of steps) {
      const button = element("button", words);
      button.type = "button";
      button.addEventListener("click", act);
      bar.append(button);
    }
    plot.before(bar);
    plot.addEventListener("dblclick", () => look(0, 1));

    // A mouse marks a stretch; a finger moves along.
    let began = null;
    const brush = element("div");
    brush.className = "brush";
    plot.addEventListener("pointerdown", (event) => {
      began = { share: shareOf(event), from };
      plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      if (!began) return;
      const moved = shareOf(event) - began.share;
      if (event.pointerType === "mouse") {
        brush.style.left = `${100 * Math.min(began.share, shareOf(event))}%`;
        brush.style.width = `${100 * Math.abs(moved)}%`;
        plot.append(brush);
      } else if (wide < 1 && Math.abs(moved) > 0.01) {
        look(began.from - moved * wide, wide);
      }
    });
    const end = (event) => {
      if (began && event.type === "pointerup" && event.pointerType === "mouse") {
        const [low, high] = [began.share, shareOf(event)].sort((a, b) => a - b);
        if (high - low > 0.02) look(from + low * wide, (high - low) * wide);
      }
      began = null;
      brush.remove();
    };
    plot.addEventListener("pointerup", end);
    plot.addEventListener("pointercancel", end);
  }
})();
