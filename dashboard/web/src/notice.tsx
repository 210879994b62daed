import type { ReactNode } from 'react';

interface NoticeProps {
  tone: 'warn' | 'bad';
  title: string;
  testId: string;
  /** Read out when it appears. */
  urgent?: boolean;
  icon?: ReactNode;
  children: ReactNode;
}

/** Says at the top of a view what is wrong with all that is below. */
export function Notice({ tone, title, testId, urgent, icon, children }: NoticeProps) {
  return (
    <section className="panel notice" data-tone={tone} data-testid={testId} role={urgent ? 'alert' : 'note'}>
      {icon}
      <div>
        <strong>{title}</strong>
        <p className="dim">{children}</p>
      </div>
    </section>
  );
}
