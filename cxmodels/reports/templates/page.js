"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const dark = new Map([
    ["#1f2a37", "#e4e9f0"], ["#5b6675", "#a3aebd"], ["#0072b2", "#56b4e9"], ["#d55e00", "#ff9a4d"],
    ["#8a94a3", "#8a94a3"], ["#b6c0cc", "#5a6778"], ["#c6dcee", "#23445f"], ["#eef1f5", "#1e2732"],
    ["#e6e9ee", "#2a3441"], ["#aab3bf", "#4a5666"],
    ["#f3f7fb", "#17212c"], ["#7fb3d9", "#1f5f92"], ["#2f7fb8", "#3f93cc"], ["#0b4f86", "#86c3ea"],
    ["#062b52", "#dceefb"], ["#6aa9d4", "#3a7db0"],
  ]);
  const shaded = (value, key) => {
    if (key === "datasets" || key === "data") return value;
    if (typeof value === "string") return dark.get(value) ?? value;
    if (Array.isArray(value)) return value.map((part) => shaded(part, ""));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shaded(part, name)]));
    }
    return value;
  };
  const options = {
    ast: true, actions: false, renderer: "svg", defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    loader: { load: () => Promise.reject(new Error("this page loads nothing")) },
  };
  const views = new Map();
  const draw = async (place) => {
    const live = document.getElementById(`chart-${place}`);
    const still = live.parentElement.querySelector(".still");
    try {
      views.get(place)?.finalize();
      live.hidden = false;
      const spec = night.matches ? shaded(specs[place], "") : specs[place];
      views.set(place, await vegaEmbed(live, spec, options));
      still.classList.add("print");
    } catch (error) {
      live.hidden = true;
      still.classList.remove("print");
      console.error(error);
    }
  };
  const all = () => specs.forEach((_, place) => draw(place));
  night.addEventListener("change", all);
  all();
})();
