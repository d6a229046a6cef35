(() => {
  const form = document.querySelector("form.filter");
  const rows = [...document.querySelectorAll("tr[data-values]")];
  const chosen = (name) => form.elements[name].value;
  const differs = (row, before, after) => {
    const [old, now] = [row.dataset.values[before], row.dataset.values[after]];
    return "changing" in row.dataset && old !== "-" && now !== "-" && old !== now;
  };
  const fits = (row) =>
    (chosen("area") === "" || row.parentElement.dataset.area === chosen("area"))
    && (chosen("before") === "" || chosen("after") === ""
      || differs(row, chosen("before"), chosen("after")))
    && (!form.elements.changing.checked || "changing" in row.dataset);
  const apply = () => {
    for (const row of rows) row.hidden = !fits(row);
    for (const body of document.querySelectorAll("tbody"))
      body.hidden = !body.querySelector("tr[data-values]:not([hidden])");
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${rows.length} probes`;
  };
  /* A link with `?area=Order&before=FastAPI 0.105.0&after=FastAPI 0.117.1` is one to a filter. */
  const preset = (field, wanted) => {
    if (field.type === "checkbox") field.checked = wanted !== "";
    const option = [...(field.options ?? [])].find((one) =>
      one.value === wanted || one.text === wanted || one.text.startsWith(`${wanted},`));
    if (option) option.selected = true;
  };
  for (const [name, wanted] of new URLSearchParams(location.search))
    if (form.elements[name]) preset(form.elements[name], wanted);
  form.hidden = false;
  form.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") location.hash = "closed";
  });
  apply();
})();
