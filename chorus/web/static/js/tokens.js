/** A person's API tokens. */
import { boot } from "./dom.js";
import { tokensCard } from "./tokens_card.js";

const { projects } = boot();
tokensCard(projects);
