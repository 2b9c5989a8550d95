/** Several projects side by side, live. */
import { $, boot, el, fill } from "./dom.js";
import { Socket } from "./socket.js";
import { followCards } from "./live_card.js";
import { renderServer } from "./server_strip.js";
import { showConnection } from "./connection.js";

const { projects } = boot();
const socket = new Socket();
const room = $("#cards");

if (projects.length) followCards(socket, projects, room);
else fill(room, el("div", { class: "empty card" }, el("h2", {}, "No projects yet"), el("p", {}, "As soon as there are some, they appear here.")));
socket.addEventListener("open", () => {
  socket.request("subscribe", { topic: "server" }, (frame) => renderServer(frame.body)).catch(() => {}); // asked again with the connection
});
showConnection(socket);
socket.connect();
