import type { HTMLAttributes } from 'react';

/** What may be wider than the screen: by keyboard it is scrolled once it has the focus. */
export function Scroll({ label, className = '', ...rest }: HTMLAttributes<HTMLDivElement> & { label: string }) {
  return <div className={`scroll ${className}`} role="region" aria-label={label} tabIndex={0} {...rest} />;
}
