/** Tabs as users know them: arrows move, and the panel of the chosen one is shown. */
import { byId } from "./elements.ts";

export function tabs(): void {
  const all = [...document.querySelectorAll<HTMLButtonElement>('[role="tab"]')];
  const choose = (chosen: HTMLButtonElement) => {
    for (const tab of all) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls") ?? "", HTMLElement).hidden = !isChosen;
    }
    chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  all.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const places: Readonly<Record<string, number>> = {
        ArrowRight: (index + 1) % all.length,
        ArrowLeft: (index + all.length - 1) % all.length,
        Home: 0,
        End: all.length - 1,
      };
      const next = all[places[key] ?? -1];
      if (next === undefined) return;
      next.focus();
      choose(next);
    });
  });
}
