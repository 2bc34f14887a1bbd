// Light, dark, or as the device has it.

const KEY = 'isomer-theme';
const ORDER = ['auto', 'light', 'dark'];
const SIGNS = {auto: '◐', light: '☀', dark: '☾'};

const told = new Set();

/** Call a function whenever the colours change. */
export const onTheme = (call) => told.add(call);

export function startTheme(button) {
  let theme = localStorage.getItem(KEY);
  if (!ORDER.includes(theme)) theme = 'auto';
  const apply = () => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = SIGNS[theme];
    button.setAttribute('aria-label', `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
    for (const call of told) call();
  };
  button.addEventListener('click', () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    localStorage.setItem(KEY, theme);
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
  apply();
}
