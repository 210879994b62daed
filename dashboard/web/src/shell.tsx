import { ActionIcon, Menu, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import type { ReactNode } from 'react';
import { useAlerts } from './alerts';
import { clock } from './format';
import { useLocale, type TextKey } from './i18n';
import { Mark, Moon, Screen, Sun, Unplugged } from './icons';
import { Link } from './link';
import { useNow } from './live/clock';
import { connection, useConnection } from './live/connection';
import { Notice } from './notice';
import { routeOf, usePath, type Route } from './route';

/** What is around every view. */
export function Shell({ children }: { children: ReactNode }) {
  const { t } = useLocale();
  return (
    <>
      <a className="skip" href="#content">
        {t('skip')}
      </a>
      <header className="top">
        <div className="top-inner">
          <Link href="/" className="brand" aria-label="thump">
            <Mark />
            <span>thump</span>
          </Link>
          <Navigation />
          <span className="spacer" />
          <StreamState />
          <LanguageSwitch />
          <SchemeSwitch />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <CutBanner />
        {children}
      </main>
    </>
  );
}

const places: readonly { href: string; text: TextKey; views: readonly Route['view'][] }[] = [
  { href: '/', text: 'hosts', views: ['overview', 'host'] },
  { href: '/alerts', text: 'alerts', views: ['alerts'] },
  { href: '/explore', text: 'explore', views: ['explore'] },
  { href: '/agents', text: 'agents', views: ['agents'] },
  { href: '/broker', text: 'broker', views: ['broker'] },
];

/** Where one can go; of a host's page the list of hosts is the place. */
function Navigation() {
  const { t } = useLocale();
  const path = usePath();
  const { view } = routeOf(path);
  const firing = useAlerts().data?.length ?? 0;
  return (
    <nav className="places" aria-label={t('navigation')}>
      {places.map(({ href, text, views }) => (
        <Link
          key={href}
          href={href}
          data-testid={`nav-${text}`}
          data-present={views.includes(view) || undefined}
          aria-current={path === href ? 'page' : views.includes(view) ? 'true' : undefined}
        >
          {t(text)}
          {text === 'alerts' && firing > 0 && <span className="alert-count num">{firing}</span>}
        </Link>
      ))}
    </nav>
  );
}

/** Whether data flows. */
function StreamState() {
  const { t } = useLocale();
  const state = useConnection();
  return (
    <span className="stream" data-state={state} data-testid="stream-state" role="status">
      <span className="dot" aria-hidden="true" />
      {t(state)}
    </span>
  );
}

/** Says that what is shown is old, and from when. */
function CutBanner() {
  const { t } = useLocale();
  const state = useConnection();
  useNow(30);
  if (state !== 'cut' && state !== 'offline') return null;
  return (
    <Notice urgent tone="warn" testId="stream-banner" icon={<Unplugged />} title={t(`${state}Title`)}>
      {t(`${state}Hint`, { t: clock(connection.freshAt()) })}
    </Notice>
  );
}

function LanguageSwitch() {
  const { t, language, choose } = useLocale();
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      className="language"
      aria-label={`${language.toUpperCase()}, ${t('language')}`}
      title={t('language')}
      data-testid="language-switch"
      onClick={() => choose(language === 'en' ? 'zh' : 'en')}
    >
      {language.toUpperCase()}
    </ActionIcon>
  );
}

const schemes: readonly { value: MantineColorScheme; text: TextKey; Icon: typeof Sun }[] = [
  { value: 'auto', text: 'auto', Icon: Screen },
  { value: 'light', text: 'light', Icon: Sun },
  { value: 'dark', text: 'dark', Icon: Moon },
];

function SchemeSwitch() {
  const { t } = useLocale();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Chosen = schemes.find((s) => s.value === colorScheme)?.Icon ?? Screen;
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('colorScheme')}
          title={t('colorScheme')}
          data-testid="scheme-switch"
        >
          <Chosen />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {schemes.map(({ value, text, Icon }) => (
          <Menu.Item key={value} leftSection={<Icon />} data-testid={`scheme-${value}`} onClick={() => setColorScheme(value)}>
            {t(text)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
