(() => {
  const form = document.querySelector("form.filter");
  const rows = [...document.querySelectorAll("tr[data-values]")];
  const chosen = (name) => form.elements[name].value;
  const differs = (values, before, after) =>
    before === "" || after === "" || values[before] !== values[after];
  const fits = (row) => {
    const values = row.dataset.values;
    return (chosen("area") === "" || row.parentElement.dataset.area === chosen("area"))
      && differs(values, chosen("before"), chosen("after"))
      && (!form.elements.changing.checked || new Set(values).size > 1);
  };
  const apply = () => {
    for (const row of rows) row.hidden = !fits(row);
    for (const body of document.querySelectorAll("tbody"))
      body.hidden = !body.querySelector("tr[data-values]:not([hidden])");
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${rows.length} probes`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") location.hash = "closed";
  });
  apply();
})();
