import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { FieldSet, InlineField, InlineSwitch, Input, SecretInput, SecretTextArea } from '@grafana/ui';
import type { ThumpOptions, ThumpSecrets } from './types';

const wide = 50;
const label = 22;

export function ConfigEditor({ options, onOptionsChange }: DataSourcePluginOptionsEditorProps<ThumpOptions, ThumpSecrets>) {
  const data = options.jsonData;
  const change = (part: Partial<ThumpOptions>) => onOptionsChange({ ...options, jsonData: { ...data, ...part } });
  const secret = (name: keyof ThumpSecrets) => ({
    isConfigured: options.secureJsonFields?.[name] ?? false,
    value: options.secureJsonData?.[name] ?? '',
    onChange: (e: { currentTarget: { value: string } }) =>
      onOptionsChange({ ...options, secureJsonData: { ...options.secureJsonData, [name]: e.currentTarget.value } }),
    onReset: () =>
      onOptionsChange({
        ...options,
        secureJsonFields: { ...options.secureJsonFields, [name]: false },
        secureJsonData: { ...options.secureJsonData, [name]: '' },
      }),
  });
  const text = (name: 'amqpUrl' | 'amqpUser' | 'timeInterval' | 'serverName', title: string, placeholder: string, tooltip?: string) => (
    <InlineField label={title} labelWidth={label} tooltip={tooltip}>
      <Input width={wide} aria-label={title} placeholder={placeholder} value={data[name] ?? ''} onChange={(e) => change({ [name]: e.currentTarget.value })} />
    </InlineField>
  );
  const toggle = (name: 'tlsAuth' | 'tlsAuthWithCACert' | 'tlsSkipVerify', title: string, tooltip: string) => (
    <InlineField label={title} labelWidth={label} tooltip={tooltip}>
      <InlineSwitch aria-label={title} value={data[name] ?? false} onChange={(e) => change({ [name]: e.currentTarget.checked })} />
    </InlineField>
  );
  const pem = (name: 'tlsCACert' | 'tlsClientCert' | 'tlsClientKey', title: string, kind: string) => (
    <InlineField label={title} labelWidth={label}>
      <SecretTextArea cols={60} rows={5} aria-label={title} placeholder={`-----BEGIN ${kind}-----`} {...secret(name)} />
    </InlineField>
  );
  return (
    <>
      <FieldSet label="History">
        <InlineField label="URL" labelWidth={label} tooltip="The collector, as Grafana's server reaches it" invalid={!options.url} error="Give the collector's URL">
          <Input width={wide} aria-label="URL" placeholder="http://127.0.0.1:8420" value={options.url} onChange={(e) => onOptionsChange({ ...options, url: e.currentTarget.value })} />
        </InlineField>
        <InlineField label="User" labelWidth={label}>
          <Input
            width={wide} aria-label="User" placeholder="none" value={options.basicAuthUser}
            onChange={(e) => onOptionsChange({ ...options, basicAuthUser: e.currentTarget.value, basicAuth: e.currentTarget.value !== '' })}
          />
        </InlineField>
        <InlineField label="Password" labelWidth={label}>
          <SecretInput width={wide} aria-label="Password" {...secret('basicAuthPassword')} />
        </InlineField>
        {text('timeInterval', 'Interval', '10s', 'How often hosts usually measure; $__rate_interval is at least four times that')}
      </FieldSet>
      <FieldSet label="Live">
        {text('amqpUrl', 'AMQP URL', 'amqp://127.0.0.1:5672/', 'The broker, as Grafana\'s server reaches it; amqps:// for TLS. Empty: no panel is live')}
        {text('amqpUser', 'AMQP user', 'guest')}
        <InlineField label="AMQP password" labelWidth={label}>
          <SecretInput width={wide} aria-label="AMQP password" {...secret('amqpPassword')} />
        </InlineField>
      </FieldSet>
      <FieldSet label="TLS, of both">
        {toggle('tlsAuthWithCACert', 'CA certificate', 'The servers\' certificates are signed by an authority of your own')}
        {data.tlsAuthWithCACert && pem('tlsCACert', 'Authority', 'CERTIFICATE')}
        {toggle('tlsAuth', 'Client certificate', 'We show a certificate of our own')}
        {data.tlsAuth && pem('tlsClientCert', 'Certificate', 'CERTIFICATE')}
        {data.tlsAuth && pem('tlsClientKey', 'Key', 'PRIVATE KEY')}
        {(data.tlsAuth || data.tlsAuthWithCACert) && text('serverName', 'Server name', 'of the URL', 'The name in the servers\' certificates')}
        {toggle('tlsSkipVerify', 'Skip verification', 'Not safe: anybody on the way can listen')}
      </FieldSet>
    </>
  );
}
