// Makes a page of the text beside it.
const fs = require('node:fs');
const { marked } = require('marked');

fs.mkdirSync('dist', { recursive: true });
fs.writeFileSync('dist/index.html', `<!doctype html><meta charset="utf-8">\n${marked(fs.readFileSync('page.md', 'utf8'))}`);
