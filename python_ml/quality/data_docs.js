// Stands in for the scripts that the pages would load from the network.
"use strict";

function showAllValidations() { document.body.classList.remove("failed-only"); }

function hideSucceededValidations() { document.body.classList.add("failed-only"); }

document.addEventListener("click", (event) => {
  const control = event.target.closest("[data-toggle=collapse]");
  if (!control) return;
  event.preventDefault();
  const part = document.getElementById(control.getAttribute("href").slice(1));
  control.setAttribute("aria-expanded", String(part.classList.toggle("show")));
});
