// What both sides say.
export const greeting = (name) => `Hello, ${name}`;
