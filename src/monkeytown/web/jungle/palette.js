/**
 * The jungle's colours by day and by night (a browser in dark mode).
 *
 * Knows colours only.
 */
export const DAY = {
    name: "day",
    grass: "#74b04f",
    patches: ["#6aa648", "#7fbb59", "#64a045", "#8ac463"],
    trail: "#d3b678",
    trailEdge: "#b5955c",
    pebble: "#b8aa88",
    tuft: ["#4c8a3a", "#5a9a42", "#93cf63"],
    flowers: ["#fff4d6", "#ff9db0", "#ffd95e", "#c7a6ff"],
    flowerHeart: "#f0a92e",
    fern: "#3f7f37",
    fernLight: "#5fa04a",
    stone: "#9aa394",
    stoneLight: "#b9c1b2",
    cap: "#d4523f",
    capSpot: "#ffeede",
    shade: "rgba(18, 48, 20, .20)",
    thicket: "#1e4d2c",
    leaves: [
        ["#2c6b35", "#3c8543", "#57a552"],
        ["#2a6a48", "#378457", "#58a66f"],
        ["#3d7030", "#548b3a", "#78ac4c"],
    ],
    palm: [
        ["#2f7d3b", "#4aa04b", "#83c765"],
        ["#3a7a2e", "#5d9c3c", "#9cc95c"],
    ],
    trunk: "#8a6238",
    trunkLight: "#a97d4c",
    label: "#ffffff",
    labelEdge: "rgba(20, 40, 18, .78)",
    own: "rgba(255, 250, 215, .9)",
    outOfBreath: "#ff7a5c",
    dust: "#e6d6a8",
    firefly: "",
};

export const NIGHT = {
    ...DAY,
    name: "night",
    grass: "#22493d",
    patches: ["#1e4238", "#285344", "#1b3d34", "#2d5b49"],
    trail: "#56604a",
    trailEdge: "#414c3c",
    pebble: "#6d7465",
    tuft: ["#183a2f", "#2f6650", "#3b7a5c"],
    flowers: ["#b9c8d8", "#b98fb4", "#c3b878", "#8f8fd6"],
    flowerHeart: "#c8a24a",
    fern: "#163a30",
    fernLight: "#2a5c49",
    stone: "#566660",
    stoneLight: "#6d7f78",
    cap: "#8a4a58",
    capSpot: "#d8c8c4",
    shade: "rgba(2, 14, 14, .34)",
    thicket: "#103029",
    leaves: [
        ["#123a2f", "#1b4f3e", "#2c6a52"],
        ["#113b3a", "#1a504c", "#2b6d64"],
        ["#1b3d2c", "#285239", "#3c6d4c"],
    ],
    palm: [
        ["#14443a", "#1f6150", "#3a8a6d"],
        ["#1c4a35", "#2c6647", "#4d8c62"],
    ],
    trunk: "#4a4335",
    trunkLight: "#625a48",
    labelEdge: "rgba(3, 16, 14, .82)",
    own: "rgba(255, 224, 130, .8)",
    dust: "#8fa393",
    firefly: "#ffe98a",
};

/** Coats and vests a monkey can have; a player's hue picks one of each. */
export const COATS = [
    { fur: "#8b5a33", edge: "#54331a", face: "#f2cfa0" },
    { fur: "#6d4a35", edge: "#3e281b", face: "#e9bf95" },
    { fur: "#a8743f", edge: "#6a4522", face: "#f8deb6" },
    { fur: "#77706a", edge: "#46413d", face: "#e8d3bd" },
];
export const VESTS = 12;
