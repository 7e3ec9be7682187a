import { render } from "preact";
import { App } from "./app.tsx";
import { startLive } from "./live.ts";
import { followLinks } from "./navigation.ts";
import { startSession } from "./session.ts";
import { applyTheme } from "./theme.ts";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/views.css";

applyTheme();
followLinks();
const root = document.getElementById("app");
startSession();
if (root) render(<App />, root);
startLive();
