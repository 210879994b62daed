import { CloseButton, TextInput } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { Search } from './icons';
import { useLocale } from './i18n';

/** A field for words that hosts are chosen by; the key / leads to it. */
export function FilterInput({ value, onChange }: { value: string; onChange: (q: string) => void }) {
  const { t } = useLocale();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (e: KeyboardEvent) => {
      if (e.key !== '/' || e.ctrlKey || e.metaKey || e.target instanceof HTMLInputElement) return;
      e.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  return (
    <TextInput
      ref={input}
      className="filter"
      type="search"
      aria-label={t('filter')}
      placeholder={`${t('filter')}  /`}
      data-testid="host-filter"
      value={value}
      onChange={(e) => onChange(e.currentTarget.value)}
      leftSection={<Search />}
      rightSection={value ? <CloseButton size="sm" aria-label={t('clearFilter')} onClick={() => onChange('')} /> : null}
    />
  );
}
