// The filter box of /decisions: shows the decisions that contain every word typed.

const box = document.getElementById("filter");
const decisions = [...document.querySelectorAll(".decisions li")].map((item) => [item, item.textContent.toLowerCase()]);

function filter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const [item, text] of decisions) item.hidden = !words.every((word) => text.includes(word));
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector("li:not([hidden])");
  const shown = decisions.filter(([item]) => !item.hidden).length;
  document.getElementById("shown").textContent = words.length ? `${shown} of ${decisions.length} decisions` : "";
}

box.parentElement.hidden = false;
box.addEventListener("input", filter);
filter(); // browsers keep a field's text when the page is reloaded
