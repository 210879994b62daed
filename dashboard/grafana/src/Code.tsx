import { TextArea } from '@grafana/ui';
import { useEffect, useRef, useState } from 'react';
import { completion, type Completion } from './expression';

interface Props {
  expr: string;
  onChange: (expr: string) => void;
  onRun: () => void;
  complete: (c: Completion) => Promise<string[]>;
}

const most = 12;

/** The query as text, with completion: Tab takes the first, a click any. */
export function Code({ expr, onChange, onRun, complete }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [offered, setOffered] = useState<string[]>([]);
  const [cursor, setCursor] = useState(0);
  const at = completion(expr, cursor);
  const { kind = '', word = '' } = at ?? {};

  useEffect(() => {
    let current = true;
    const found = at ? complete(at) : Promise.resolve([]);
    found.then(
      (all) => current && setOffered(all.filter((v) => v !== word && v.toLowerCase().includes(word.toLowerCase())).slice(0, most)),
      () => current && setOffered([])
    );
    return () => { current = false; };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- at follows from these
  }, [expr, cursor, kind, word]);

  const take = (value: string) => {
    const start = cursor - word.length;
    onChange(expr.slice(0, start) + value + expr.slice(cursor));
    setCursor(start + value.length);
    setOffered([]);
    area.current?.focus();
  };
  return (
    <>
      <TextArea
        ref={area} aria-label="PromQL" rows={2} value={expr} spellCheck={false} placeholder='rate(node_cpu_seconds_total{instance="$host"}[$__rate_interval])'
        onChange={(e) => { onChange(e.currentTarget.value); setCursor(e.currentTarget.selectionStart); }}
        onSelect={(e) => setCursor(e.currentTarget.selectionStart)}
        onBlur={onRun}
        onKeyDown={(e) => {
          if (e.key === 'Tab' && offered.length > 0) { e.preventDefault(); take(offered[0]); }
          if (e.key === 'Enter' && e.shiftKey) { e.preventDefault(); onRun(); }
          if (e.key === 'Escape') { setOffered([]); }
        }}
      />
      {offered.length > 0 && (
        <div role="listbox" aria-label="Completions" style={{ display: 'flex', flexWrap: 'wrap', gap: 4, padding: '4px 0', fontFamily: 'monospace', fontSize: 12 }}>
          {offered.map((value) => (
            <button key={value} type="button" role="option" aria-selected={false} onMouseDown={(e) => { e.preventDefault(); take(value); }}>{value}</button>
          ))}
        </div>
      )}
    </>
  );
}
