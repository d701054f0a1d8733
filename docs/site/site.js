// A field above a long table shows only the rows that hold each of the words typed.
document.querySelectorAll("input.filter").forEach((field) => {
  const rows = document.querySelectorAll("article table tbody tr");
  const count = document.querySelector(".filter-count");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row) => {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      shown += !row.hidden;
    });
    count.textContent = `${shown} of ${rows.length}`;
  });
});
// The theme gives its search dialog no name that a screen reader could say.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
