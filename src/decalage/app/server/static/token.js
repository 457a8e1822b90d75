/** The token that a server may ask for. */

import { byId } from "./dom.js";
import { tab } from "./remembered.js";

/** The token, or null. */
export function token() {
  return tab.get("token");
}

/** Takes `#token=…` out of the address, where others would see it; must run before anything is asked. */
export function takeToken(onToken) {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    tab.set("token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    tab.set("token", byId("token").value.trim());
    byId("token").value = "";
    byId("token-form").hidden = true;
    onToken();
  });
}

/** Asks for one, and forgets one that was refused. */
export function askToken() {
  tab.forget("token");
  byId("token-form").hidden = false;
  byId("token").focus();
}
