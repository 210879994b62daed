import { MantineProvider, Skeleton } from '@mantine/core';
import { lazy, StrictMode, Suspense, useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import '@mantine/core/styles.css';
import './styles.css';
import './overview/overview.css';
import './host/host.css';
import './alerting/alerting.css';
import './agents/agents.css';
import { AgentsPage } from './agents/agents';
import { AlertsPage } from './alerting/page';
import { AlertsProvider } from './alerts';
import { HostPage } from './host/host';
import { initialLanguage, LocaleContext, rememberLanguage, translator, useLocale, type Locale } from './i18n';
import { Link } from './link';
import { Overview } from './overview/overview';
import { routeOf, usePath } from './route';
import { Shell } from './shell';
import { theme } from './theme';

// Loaded when first looked at: the editor of the one is as large as all the rest.
const ExplorePage = lazy(() => import('./explore/page'));
const BrokerPage = lazy(() => import('./broker/page'));

function Page() {
  const route = routeOf(usePath());
  switch (route.view) {
    case 'overview':
      return <Overview />;
    case 'host':
      return <HostPage key={route.name} name={route.name} />;
    case 'alerts':
      return <AlertsPage />;
    case 'agents':
      return <AgentsPage />;
    case 'explore':
      return (
        <Suspense fallback={<Skeleton height={400} radius="md" />}>
          <ExplorePage />
        </Suspense>
      );
    case 'broker':
      return (
        <Suspense fallback={<Skeleton height={400} radius="md" />}>
          <BrokerPage />
        </Suspense>
      );
    case 'none':
      return <NotFound />;
  }
}

function NotFound() {
  const { t } = useLocale();
  return (
    <section className="panel empty">
      <h2>{t('notFound')}</h2>
      <Link href="/">{t('back')}</Link>
    </section>
  );
}

function App() {
  const [language, setLanguage] = useState(initialLanguage);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  const locale = useMemo<Locale>(
    () => ({
      language,
      t: translator(language),
      choose: (next) => {
        rememberLanguage(next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <LocaleContext value={locale}>
        <AlertsProvider>
          <Shell>
            <Page />
          </Shell>
        </AlertsProvider>
      </LocaleContext>
    </MantineProvider>
  );
}

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
