// Swagger UI is dark if <html> has the class dark-mode: it follows the system. Loaded first, so that no light page flashes up.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
