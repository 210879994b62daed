import type { ReactNode, SVGProps } from 'react';

/** A line icon of 16 units in the colour of its text, not read out. */
function icon(children: ReactNode) {
  return (props: SVGProps<SVGSVGElement>) => (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      {...props}
    >
      {children}
    </svg>
  );
}

export const Sun = icon(
  <>
    <circle cx="8" cy="8" r="2.8" />
    <path d="M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9" />
  </>,
);
export const Moon = icon(<path d="M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z" />);
export const Screen = icon(
  <>
    <rect x="1.8" y="2.8" width="12.4" height="8.4" rx="1.2" />
    <path d="M5.8 13.5h4.4" />
  </>,
);
export const Search = icon(
  <>
    <circle cx="7" cy="7" r="4.3" />
    <path d="M10.3 10.3 14 14" />
  </>,
);
export const Close = icon(<path d="m4 4 8 8M12 4l-8 8" />);
export const Back = icon(<path d="M9.8 3.5 5.3 8l4.5 4.5" />);
export const Bell = icon(
  <>
    <path d="M8 2a4 4 0 0 0-4 4c0 3.8-1.5 5-1.5 5h11S12 9.8 12 6a4 4 0 0 0-4-4z" />
    <path d="M6.8 13.6a1.4 1.4 0 0 0 2.4 0" />
  </>,
);
export const Unplugged = icon(<path d="M2 14l2.6-2.6M14 2l-2.6 2.6M6.5 5.6l3.9 3.9M4.6 7.5 3.7 8.4a2.2 2.2 0 0 0 0 3l.9.9a2.2 2.2 0 0 0 3 0l.9-.9M11.4 8.5l.9-.9a2.2 2.2 0 0 0 0-3l-.9-.9a2.2 2.2 0 0 0-3 0l-.9.9" />);
export const Ascending = icon(<path d="m4.5 9.5 3.5-3.5 3.5 3.5" />);
export const Descending = icon(<path d="m4.5 6.5 3.5 3.5 3.5-3.5" />);

/** The rabbit. */
export function Mark() {
  return (
    <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path
        d="M11 4.8c2.2 0 3.7 3.4 4.3 7.4h1.4c.6-4 2.1-7.4 4.3-7.4 2.6 0 2.7 5.3.9 9.3 2 1.5 3.1 3.7 3.1 6.1 0 4.5-4 7.3-9 7.3s-9-2.8-9-7.3c0-2.4 1.1-4.6 3.1-6.1-1.8-4-1.7-9.3.9-9.3z"
        fill="#fff"
      />
      <path
        d="M8.5 20.5h3.2l1.6-3.4 2.7 6.2 2-4 .8 1.2h4.7"
        fill="none"
        stroke="var(--accent)"
        strokeWidth="1.7"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
export const Cross = icon(<path d="M4 4l8 8M12 4l-8 8" />);
