"""The script of coloured sequences: lists units by what they follow, finds them by name, walks from step to step."""

READER = """<script>
for (const root of document.querySelectorAll(".reader")) {
  const data = JSON.parse(root.querySelector("script").textContent), count = data.names.length;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const states = new Int8Array(bytes(data.states)), loss = data.loss && new Int8Array(bytes(data.loss));
  const chosen = new Int16Array(bytes(data.chosen)), held = new Int16Array(bytes(data.r));
  const parts = [".follow", ".unit", ".name", ".read", ".next"].map((part) => root.querySelector(part));
  const [follow, unit, name, text, next] = parts;
  const spans = [...text.querySelectorAll("span")];
  const words = (t) => t.toLowerCase().replace(/(layer|unit)\\s*(?=\\d)/g, "$1").match(/[a-z]+\\d*|\\d+/g) ?? [];
  const is = (word, typed) => word === typed || word.replace(/^(layer|unit)/, "") === typed;
  let at = -1;
  const r = (k, u) => (held[k * count + u] / 10000).toFixed(2).replace("-", "\\u2212");
  const colour = () => {
    const n = spans.length, u = +unit.value;
    const values = follow.value === "loss" ? loss : states.subarray(u * n, (u + 1) * n);
    values.forEach((v, k) => {
      spans[k].style.background = `rgba(${v > 0 ? "224,123,57" : "59,130,196"},${0.65 * Math.abs(v) / 127})`;
    });
    next.textContent = `Coloured by ${follow.value === "loss" ? "the loss" : unit.selectedOptions[0].text}.`;
  };
  const list = () => {
    const k = follow.value, isTrack = k !== "any" && k !== "loss", order = [...data.names.keys()];
    if (isTrack) order.sort((a, b) => chosen[k * count + b] - chosen[k * count + a]);
    unit.replaceChildren(...order.map((u) => new Option(data.names[u] + (isTrack ? ` (r = ${r(k, u)})` : ""), u)));
    unit.disabled = k === "loss";
    colour();
  };
  const find = () => {
    const typed = words(name.value);
    if (!typed.length) return;
    const found = data.names.findIndex((each) => {
      let k = 0;
      for (const word of words(each)) if (k < typed.length && is(word, typed[k])) k += 1;
      return k === typed.length;
    });
    if (found < 0) {
      next.textContent = `No unit here is called ${name.value}. The last is ${data.names[count - 1]}.`;
      return;
    }
    if (follow.value === "loss") { follow.value = "any"; list(); }
    unit.value = found;
    colour();
  };
  const show = (k) => {
    if (k < 0 || k >= spans.length) return;
    if (at >= 0) spans[at].classList.remove("at");
    spans[at = k].classList.add("at");
    next.textContent = data.notes[k];
  };
  follow.addEventListener("change", list);
  unit.addEventListener("change", colour);
  name.addEventListener("change", find);
  text.addEventListener("mouseover", (event) => show(spans.indexOf(event.target)));
  text.addEventListener("focus", () => show(Math.max(at, 0)));
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 20, ArrowUp: -20, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(Math.min(Math.max(at + step, 0), spans.length - 1));
    spans[at].scrollIntoView({ block: "nearest" });
  });
  root.querySelector(".controls").hidden = false;
  list();
}
</script>
"""
