import { greeting } from 'words';
import './style.css';

const line = document.querySelector('#greeting');
line.textContent = greeting('browser');
const answer = await fetch('/api/greeting');
line.textContent += `. The server says: ${(await answer.json()).greeting}`;
