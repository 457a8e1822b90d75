/** The look of the overlay, from its query. Nothing gets into a style that was not checked here. */

const COLOR = /^#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i;
const FONT = /^[\p{L}\p{N} ,_-]{1,100}$/u;

/** `{properties, align, position, source, fade}`; what is missing or wrong is as usual. */
export function styleOf(query) {
  const color = colorOf(query.get("color"), "#ffffff");
  const properties = {
    "--size": `${numberOf(query.get("size"), 48, 10, 400)}px`,
    "--lines": String(Math.round(numberOf(query.get("lines"), 2, 1, 12))),
    "--color": color,
    "--outline": isDark(color) ? "#ffffff" : "#000000",
    "--background": colorOf(query.get("background"), "#00000080"),
  };
  const font = fontOf(query.get("font"));
  if (font) properties["--font"] = font;
  return {
    properties,
    align: oneOf(query.get("align"), ["center", "left", "right"]),
    position: oneOf(query.get("position"), ["bottom", "top", "middle"]),
    source: ["1", "true", "yes"].includes(query.get("source")),
    fade: numberOf(query.get("fade"), 8, 0, 3600),
  };
}

function numberOf(text, usual, least, most) {
  const number = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(number) ? Math.min(most, Math.max(least, number)) : usual;
}

function colorOf(text, usual) {
  const found = COLOR.exec(text ?? "");
  return found ? `#${found[1]}` : usual;
}

/** Names of fonts, each in quotes. */
function fontOf(text) {
  if (!text || !FONT.test(text)) return null;
  const names = text.split(",").map((name) => name.trim()).filter(Boolean);
  return [...names.map((name) => `"${name}"`), "system-ui", "sans-serif"].join(", ");
}

function oneOf(text, values) {
  return values.includes(text) ? text : values[0];
}

function isDark(color) {
  const digits = color.slice(1);
  const short = digits.length < 6;
  const [red, green, blue] = [0, 1, 2].map((place) =>
    parseInt(short ? digits[place].repeat(2) : digits.slice(2 * place, 2 * place + 2), 16),
  );
  return 0.299 * red + 0.587 * green + 0.114 * blue < 110;
}
