import { Button, Modal } from '@mantine/core';
import { useRef } from 'react';
import { Failed, useAction } from '../action';
import { retireHost } from '../api';
import { useLocale } from '../i18n';

interface RetireDialogProps {
  host: string | null; // null: closed
  onClose: () => void;
  onRetired: () => void;
}

/** Asks before a host is retired. */
export function RetireDialog({ host, onClose, onRetired }: RetireDialogProps) {
  const { t } = useLocale();
  const action = useAction();
  const last = useRef(''); // still seen while the dialog closes
  if (host !== null) last.current = host;
  const name = last.current;
  const close = () => {
    action.forget();
    onClose();
  };
  const retire = () =>
    action.run(
      () => retireHost(name),
      () => {
        close();
        onRetired();
      },
    );
  return (
    <Modal
      centered
      opened={host !== null}
      onClose={close}
      title={<strong>{t('retireHost', { name })}</strong>}
      closeButtonProps={{ 'aria-label': t('cancel') }}
    >
      <p>{t('retireHint')}</p>
      <Failed action={action} />
      <div className="dialog-actions">
        <Button variant="default" data-autofocus data-testid="retire-cancel" onClick={close}>
          {t('cancel')}
        </Button>
        <Button color="red" disabled={action.busy} data-testid="retire-confirm" onClick={retire}>
          {t('retire')}
        </Button>
      </div>
    </Modal>
  );
}
