import './main.css';

document.querySelector('p').append(' and from the browser');
