// The libraries that the page is made with, named in one place.
export { html, render, Component, useState, useEffect, useLayoutEffect, useMemo, useRef, useErrorBoundary }
  from "./vendor/htm-preact-standalone-3.1.1.module.js";
